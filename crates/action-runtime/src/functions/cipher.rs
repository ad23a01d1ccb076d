//! AES (NIST SP 800-38A and -38D).

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

use super::{Inputs, Result};

/// `cipher(mode, direction, key, iv, data, additional)`: mode `gcm` or `cbc`, direction `encrypt` or `decrypt`. With GCM the
/// tag is behind the ciphertext; with CBC the padding is that of PKCS #7.
pub(super) fn cipher(inputs: &Inputs<'_>) -> Result<Vec<u8>> {
    let encrypt = match inputs.text(1)? {
        "encrypt" => true,
        "decrypt" => false,
        direction => return Err(format!("no direction {direction}")),
    };
    let (key, iv, data) = (inputs.bytes(2), inputs.bytes(3), inputs.bytes(4).to_vec());
    match inputs.text(0)? {
        "gcm" => gcm(encrypt, key, iv, data, inputs.bytes(5)),
        "cbc" => cbc(encrypt, key, iv, data),
        mode => Err(format!("no mode {mode}")),
    }
}

fn gcm(encrypt: bool, key: &[u8], iv: &[u8], mut data: Vec<u8>, additional: &[u8]) -> Result<Vec<u8>> {
    let algorithm = match key.len() {
        16 => &aead::AES_128_GCM,
        24 => &aead::AES_192_GCM,
        32 => &aead::AES_256_GCM,
        _ => return Err("Invalid key length".into()),
    };
    let key = UnboundKey::new(algorithm, key).map_err(|_| "Invalid key")?;
    let nonce = Nonce::try_assume_unique_for_key(iv)
        .map_err(|_| "an initialization vector of other than 12 bytes is not available")?;
    let (key, additional) = (LessSafeKey::new(key), Aad::from(additional));
    if encrypt {
        key.seal_in_place_append_tag(nonce, additional, &mut data).map_err(|_| "it cannot be encrypted")?;
    } else {
        let length =
            key.open_in_place(nonce, additional, &mut data).map_err(|_| "it cannot be decrypted")?.len();
        data.truncate(length);
    }
    Ok(data)
}

fn cbc(encrypt: bool, key: &[u8], iv: &[u8], mut data: Vec<u8>) -> Result<Vec<u8>> {
    let algorithm: &'static Algorithm = match key.len() {
        16 => &AES_128,
        24 => &AES_192,
        32 => &AES_256,
        _ => return Err("Invalid key length".into()),
    };
    let key = UnboundCipherKey::new(algorithm, key).map_err(|_| "Invalid key")?;
    let iv: [u8; 16] = iv.try_into().map_err(|_| "Invalid initialization vector")?;
    let iv = FixedLength::from(&iv);
    if encrypt {
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(|_| "Invalid key")?;
        key.less_safe_encrypt(&mut data, EncryptionContext::Iv128(iv))
            .map_err(|_| "it cannot be encrypted")?;
        Ok(data)
    } else {
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(|_| "Invalid key")?;
        let plain =
            key.decrypt(&mut data, DecryptionContext::Iv128(iv)).map_err(|_| "it cannot be decrypted")?;
        Ok(plain.to_vec())
    }
}
