exports.onExecutePostLogin = async (event, api) => {
  const answer = await fetch(`https://api.example/terms/${event.user.user_id}`, { signal: AbortSignal.timeout(2000) });
  if (answer.ok) return;
  const session_token = api.redirect.encodeToken({ secret: event.secrets.SHARED, payload: { terms: 3 } });
  api.redirect.sendUserTo('https://www.example/terms', { query: { session_token } });
};

exports.onContinuePostLogin = async (event, api) => {
  const { accepted } = api.redirect.validateToken({ secret: event.secrets.SHARED });
  if (!accepted) api.access.deny('The terms were not accepted');
};
