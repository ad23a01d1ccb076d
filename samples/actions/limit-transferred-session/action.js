/**
 * Limits a browser session that a native app handed over (Native to Web SSO): 30 minutes in all, 15 without activity.
 * Sessions that began with an ordinary login keep the tenant's settings.
 *
 * @param {Event} event - Details about the user and the context in which they are logging in.
 * @param {PostLoginAPI} api - Interface whose methods can be used to change the behavior of the login.
 */
exports.onExecutePostLogin = async (event, api) => {
  if (!event.session_transfer_token) {
    return;
  }
  const now = Date.now();
  api.session.setExpiresAt(now + 30 * 60 * 1000);
  api.session.setIdleExpiresAt(now + 15 * 60 * 1000);
};
