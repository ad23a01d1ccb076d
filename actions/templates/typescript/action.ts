/** Limits a browser session that a native app handed over (Native to Web SSO): 30 minutes in all, 15 without activity. */
export const onExecutePostLogin: OnExecutePostLogin = async (event, api) => {
  if (!event.session_transfer_token) return;
  const now = Date.now();
  api.session.setExpiresAt(now + 30 * 60 * 1000);
  api.session.setIdleExpiresAt(now + 15 * 60 * 1000);
};
