//! A *signing key* shows a receiver that a message is the operator's, as
//! [Standard Webhooks](https://www.standardwebhooks.com) has it: HMAC-SHA256 over
//! the message's id, its time and its body.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::secret::Secret;

/// Before the base64 form of a key.
const PREFIX: &str = "whsec_";

/// A key that signs. It is shown to nobody, as the [`Secret`] it is made of.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

/// A secret that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it begins with '{PREFIX}', and what follows is not base64")]
pub struct InvalidKey;

impl SigningKey {
    /// The key in a secret: what follows `whsec_`, in base64, or else the bytes
    /// of the text itself.
    ///
    /// # Errors
    ///
    /// It begins with `whsec_` and goes on with something else than base64.
    pub fn new(secret: &Secret) -> Result<Self, InvalidKey> {
        let text = secret.expose();
        let key = match text.strip_prefix(PREFIX.as_bytes()) {
            None => zeroize::Zeroizing::new(text.to_vec()),
            Some(encoded) => match STANDARD.decode(encoded) {
                Ok(key) if !key.is_empty() => zeroize::Zeroizing::new(key),
                _ => return Err(InvalidKey),
            },
        };
        Ok(Self(Hmac::new_from_slice(&key).expect("HMAC takes keys of any length")))
    }

    /// The value of `webhook-signature` for a message of that id, with that time
    /// in seconds since the epoch.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> Result<SigningKey, InvalidKey> {
        SigningKey::new(&Secret::new(secret).expect("a secret"))
    }

    /// The example of the specification's own libraries.
    #[test]
    fn signs_as_the_reference_implementations_do() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let signature =
            key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_plain_text_is_a_key_as_it_stands() {
        let plain = key("a plain text").expect("a key");
        let encoded = key("whsec_YSBwbGFpbiB0ZXh0").expect("a key");
        assert_eq!(plain.sign("a", 1, b"b"), encoded.sign("a", 1, b"b"));
        assert_ne!(plain.sign("a", 1, b"b"), plain.sign("a", 2, b"b"));
    }

    #[test]
    fn what_is_neither_is_refused_and_nothing_is_shown() {
        assert_eq!(key("whsec_%%%").expect_err("not base64"), InvalidKey);
        assert_eq!(key("whsec_").expect_err("nothing"), InvalidKey);
        assert_eq!(format!("{:?}", key("k").expect("a key")), "SigningKey(…)");
    }
}
