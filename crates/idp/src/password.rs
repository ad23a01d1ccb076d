//! Passwords: Argon2id with the parameters of OWASP's recommendation (RFC 9106 §4), on threads of their own, so many at
//! a time.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Idp, ServerError};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Where password hashes wait for their turn. Each takes 19 MiB and tens of milliseconds of a core.
pub struct PasswordQueue {
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// A place in the queue. It is free again when the hash is done, or the place is dropped.
pub struct PasswordPlace {
    _permit: OwnedSemaphorePermit,
}

impl PasswordQueue {
    /// At most `running` hashes are computed at a time; at most `places` wait or run.
    #[must_use]
    pub fn new(running: usize, places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), running: Arc::new(Semaphore::new(running)) }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`ServerError::Busy`] when all are taken: better to say so than to let everybody wait.
    pub fn place(&self) -> Result<PasswordPlace, ServerError> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| ServerError::Busy)?;
        Ok(PasswordPlace { _permit: permit })
    }
}

/// Belongs to no password. Checking against it takes the same work as against a real one.
const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whether the password belongs to the hash. Without a hash the same work is done, so that nobody learns which users
/// exist. No transaction may be open.
pub(crate) async fn verify(
    idp: &Idp,
    place: PasswordPlace,
    hash: Option<&str>,
    password: &str,
) -> Result<bool, ServerError> {
    let known = hash.is_some();
    let hash = hash.unwrap_or(DUMMY).to_owned();
    let password = password.as_bytes().to_vec();
    let right = blocking(idp, place, move || fits(&hash, &password)).await?;
    Ok(right && known)
}

fn fits(hash: &str, password: &[u8]) -> Result<bool, ServerError> {
    let hash = PasswordHash::new(hash)
        .map_err(|error| ServerError::Inconsistent(format!("a stored password hash: {error}")))?;
    Ok(hasher()?.verify_password(password, &hash).is_ok())
}

/// Whether the password belongs to one of these hashes. It is one job of the queue, however many they are. No transaction
/// may be open.
///
/// # Errors
/// [`ServerError::Busy`] when the queue is full.
pub(crate) async fn is_one_of(idp: &Idp, hashes: Vec<String>, password: &str) -> Result<bool, ServerError> {
    if hashes.is_empty() {
        return Ok(false);
    }
    let place = idp.passwords.place()?;
    let password = password.as_bytes().to_vec();
    blocking(idp, place, move || {
        for hash in &hashes {
            if fits(hash, &password)? {
                return Ok(true);
            }
        }
        Ok(false)
    })
    .await
}

/// The hash of a new password, in PHC form. No transaction may be open.
///
/// # Errors
/// [`ServerError::Busy`] when the queue is full.
pub(crate) async fn hash(idp: &Idp, password: &str) -> Result<String, ServerError> {
    let place = idp.passwords.place()?;
    let mut salt = [0; 16];
    idp.random.fill(&mut salt);
    let password = password.as_bytes().to_vec();
    blocking(idp, place, move || hash_with_salt(&password, &salt)).await
}

fn hash_with_salt(password: &[u8], salt: &[u8]) -> Result<String, ServerError> {
    let hash = hasher()?
        .hash_password_with_salt(password, salt)
        .map_err(|error| ServerError::Crypto(format!("password hash: {error}")))?;
    Ok(hash.to_string())
}

fn hasher() -> Result<Argon2<'static>, ServerError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| ServerError::Crypto(format!("Argon2 parameters: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The permits go with the work, so that a request that is given up does not let more of it start.
async fn blocking<T: Send + 'static>(
    idp: &Idp,
    place: PasswordPlace,
    work: impl FnOnce() -> Result<T, ServerError> + Send + 'static,
) -> Result<T, ServerError> {
    let running = Arc::clone(&idp.passwords.running).acquire_owned().await.map_err(|_| ServerError::Busy)?;
    tokio::task::spawn_blocking(move || {
        let result = work();
        drop((place, running));
        result
    })
    .await
    .map_err(|error| ServerError::Crypto(format!("password hash: {error}")))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_argon2id_with_the_recommended_parameters() {
        let hash = hash_with_salt(b"correct horse", &[1; 16]).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let parsed = PasswordHash::new(&hash).unwrap();
        assert!(hasher().unwrap().verify_password(b"correct horse", &parsed).is_ok());
        assert!(hasher().unwrap().verify_password(b"correct horsf", &parsed).is_err());
    }

    #[test]
    fn the_dummy_takes_the_same_work_and_fits_no_password() {
        let dummy = PasswordHash::new(DUMMY).unwrap();
        let real = hash_with_salt(b"x", &[1; 16]).unwrap();
        let real = PasswordHash::new(&real).unwrap();
        assert_eq!(dummy.params.to_string(), real.params.to_string());
        assert_eq!(dummy.algorithm, real.algorithm);
        assert!(hasher().unwrap().verify_password(b"", &dummy).is_err());
    }
}
