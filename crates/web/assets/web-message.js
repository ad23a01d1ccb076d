const { origin, response } = document.body.dataset;
window.parent.postMessage({ type: 'authorization_response', response: JSON.parse(response) }, origin);
