/**
 * Asks a service whether the user has accepted the terms, and sends the browser there if not.
 *
 * @param {Event} event - Details about the user and the context in which they are logging in.
 * @param {PostLoginAPI} api - Interface whose methods can be used to change the behavior of the login.
 */
exports.onExecutePostLogin = async (event, api) => {
  const answer = await fetch(`https://api.example/terms/${event.user.user_id}`, { signal: AbortSignal.timeout(2000) });
  if (answer.ok) return;
  const session_token = api.redirect.encodeToken({ secret: event.secrets.SHARED, payload: { terms: 3 } });
  api.redirect.sendUserTo('https://www.example/terms', { query: { session_token } });
};

/**
 * Refuses the login unless the service's token says that they were accepted.
 *
 * @param {Event} event - Details about the user and the context in which they are logging in.
 * @param {PostLoginAPI} api - Interface whose methods can be used to change the behavior of the login.
 */
exports.onContinuePostLogin = async (event, api) => {
  const { accepted } = api.redirect.validateToken({ secret: event.secrets.SHARED });
  if (!accepted) api.access.deny('The terms were not accepted');
};
