//! The *mask* over a response's body: a server that sends a secret back does not
//! tell it to the guest, whose results everybody reads.
//!
//! Each occurrence becomes as many asterisks, so that lengths stay true, also
//! where it comes in several pieces. It is the secret as it was sent that is
//! looked for; what a server makes of it, an encoding or a part, is its own.

use bytes::Bytes;
use memchr::memmem;

use super::secret::Secret;

/// Shorter values are part of ordinary words, and no secrets.
pub(super) const SHORTEST: usize = 6;

/// Looks for the secrets of one exchange.
#[derive(Debug, Default)]
pub(super) struct Mask {
    secrets: Vec<Secret>,
    /// The end of what has come, as far as a secret may begin with it.
    held: Vec<u8>,
}

impl Mask {
    pub(super) fn new(used: impl IntoIterator<Item = Secret>) -> Self {
        let secrets = used.into_iter().filter(|secret| secret.expose().len() >= SHORTEST).collect();
        Self { secrets, held: Vec::new() }
    }

    /// What of a piece, and of what was held back, may pass now.
    pub(super) fn pass(&mut self, piece: Bytes) -> Bytes {
        if self.secrets.is_empty() {
            return piece;
        }
        if self.held.is_empty() && self.begins(&piece) == 0 && !self.is_in(&piece) {
            return piece;
        }
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(&piece);
        for secret in &self.secrets {
            let places: Vec<usize> = memmem::find_iter(&text, secret.expose()).collect();
            for place in places {
                text[place..place + secret.expose().len()].fill(b'*');
            }
        }
        self.held = text.split_off(text.len() - self.begins(&text));
        text.into()
    }

    /// What is still held back at the end.
    pub(super) fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    fn is_in(&self, text: &[u8]) -> bool {
        self.secrets.iter().any(|secret| memmem::find(text, secret.expose()).is_some())
    }

    /// How many bytes at the end of a text a secret may begin with.
    fn begins(&self, text: &[u8]) -> usize {
        let begins = |secret: &Secret| {
            let secret = secret.expose();
            let most = text.len().min(secret.len() - 1);
            (1..=most).rev().find(|&count| text.ends_with(&secret[..count])).unwrap_or(0)
        };
        self.secrets.iter().map(begins).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(pieces: &[&str]) -> String {
        let secrets = ["s3cr3t-value", "s3cr3t", "short"].map(|text| Secret::new(text).unwrap());
        let mut mask = Mask::new(secrets);
        let mut out = Vec::new();
        for piece in pieces {
            out.extend_from_slice(&mask.pass(Bytes::copy_from_slice(piece.as_bytes())));
        }
        out.extend_from_slice(&mask.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn secrets_become_asterisks_of_their_length() {
        assert_eq!(masked(&["a s3cr3t-value b"]), "a ************ b");
        assert_eq!(masked(&["s3cr3t-valus s3cr3t"]), "******-valus ******");
        assert_eq!(masked(&["short words stay"]), "short words stay");
        assert_eq!(masked(&[""]), "");
    }

    #[test]
    fn wherever_the_pieces_are_cut() {
        let text = "xs3cr3t-values3cr3t-vas3cr3t-value!";
        let whole = masked(&[text]);
        assert!(!whole.contains("s3cr3t"), "{whole}");
        for a in 0..=text.len() {
            for b in a..=text.len() {
                assert_eq!(masked(&[&text[..a], &text[a..b], &text[b..]]).len(), whole.len());
                assert!(!masked(&[&text[..a], &text[a..b], &text[b..]]).contains("s3cr3t-value"));
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_beginning_passes_in_the_end() {
        assert_eq!(masked(&["a s3cr3t-val", "id"]), "a ******-valid");
        assert_eq!(masked(&["ends with s3c"]), "ends with s3c");
    }
}
