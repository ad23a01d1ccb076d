// `api.samlResponse`: this server has no SAML. What is set is checked and recorded, and the decision says that it had no
// effect.

const MAX_ATTRIBUTES = 100;
const MAX_ATTRIBUTE_BYTES = 10 << 10;
let attributes = 0;
let attributeBytes = 0;

const setSaml = (name, value) => {
  send(`{"command":"samlResponse","setting":"${name}","value":${value === undefined ? 'null' : stringify(value)}}`);
  return api;
};
const samlText = (name, most) => (value) => setSaml(name, atMost(`samlResponse.${name}`, 'value', value, most));
const samlFlag = (name) => (value) => setSaml(name, boolean(`samlResponse.${name}`, 'value', value));
const samlWord = (name, words) => (value) => setSaml(name, oneOf(`samlResponse.${name}`, 'value', value, words));

const attributeValue = (method, value, inArray) => {
  const kind = typeof value;
  if (kind === 'string') return atMost(method, 'value', value, 2048);
  if (kind === 'boolean' || (kind === 'number' && isFinite_(value))) return value;
  if (!inArray && isArray(value)) {
    for (let i = 0; i < value.length; i++) attributeValue(method, value[i], true);
    return value;
  }
  throw wrong(method, '`value` must be a string, a finite number, a boolean, null or an array of these');
};

const samlResponse = {
  setAttribute(attribute, value) {
    const method = 'samlResponse.setAttribute';
    atMost(method, 'attribute', attribute, 1024);
    const given = value === undefined || value === null ? null : attributeValue(method, value, false);
    attributes++;
    attributeBytes += bytesOfText(attribute) + bytesOfText(stringify(given));
    if (attributes > MAX_ATTRIBUTES) throw broken(method, `at most ${MAX_ATTRIBUTES} attributes may be changed`);
    if (attributeBytes > MAX_ATTRIBUTE_BYTES) throw broken(method, 'the attributes may have at most 10 kB');
    return setSaml('setAttribute', { attribute, value: given });
  },
  setAudience: samlText('setAudience', 2048),
  setRecipient: samlText('setRecipient', 2048),
  setDestination: samlText('setDestination', 2048),
  setIssuer: samlText('setIssuer', 512),
  setRelayState: samlText('setRelayState', 512),
  setAuthnContextClassRef: samlText('setAuthnContextClassRef', 512),
  setSigningCert: samlText('setSigningCert', 4096),
  setEncryptionCert: samlText('setEncryptionCert', 4096),
  setEncryptionPublicKey: samlText('setEncryptionPublicKey', 4096),
  setCert: samlText('setCert', 4096),
  // A private key stays in the run.
  setKey: (key) => (atMost('samlResponse.setKey', 'key', key, 4096), setSaml('setKey', '(a key)')),
  setCreateUpnClaim: samlFlag('setCreateUpnClaim'),
  setPassthroughClaimsWithNoMapping: samlFlag('setPassthroughClaimsWithNoMapping'),
  setMapUnknownClaimsAsIs: samlFlag('setMapUnknownClaimsAsIs'),
  setMapIdentities: samlFlag('setMapIdentities'),
  setSignResponse: samlFlag('setSignResponse'),
  setIncludeAttributeNameFormat: samlFlag('setIncludeAttributeNameFormat'),
  setTypedAttributes: samlFlag('setTypedAttributes'),
  setSignatureAlgorithm: samlWord('setSignatureAlgorithm', ['rsa-sha256', 'rsa-sha1']),
  setDigestAlgorithm: samlWord('setDigestAlgorithm', ['sha256', 'sha1']),
  setEncryptionAlgorithm: samlWord('setEncryptionAlgorithm', ['aes256-gcm', 'aes256-cbc']),
  setLifetimeInSeconds(seconds) {
    const method = 'samlResponse.setLifetimeInSeconds';
    if (typeof seconds !== 'number' || !isFinite_(seconds)) throw wrong(method, '`seconds` must be a finite number');
    return setSaml('setLifetimeInSeconds', seconds);
  },
  setNameIdentifierFormat(format) {
    if (format !== undefined) atMost('samlResponse.setNameIdentifierFormat', 'format', format, 512);
    return setSaml('setNameIdentifierFormat', format);
  },
  setNameIdentifierProbes(probes) {
    const method = 'samlResponse.setNameIdentifierProbes';
    if (!isArray(probes)) throw wrong(method, '`probes` must be an array');
    if (probes.length > 10) throw broken(method, 'there may be at most 10 probes');
    for (let i = 0; i < probes.length; i++) atMost(method, `probes[${i}]`, probes[i], 512);
    return setSaml('setNameIdentifierProbes', probes);
  },
};
