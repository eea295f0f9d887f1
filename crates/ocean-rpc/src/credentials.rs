//! What is sent to prove who asks.

use std::{
    fs::File,
    io::Read,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use zeroize::Zeroizing;

use crate::{Auth, RpcError};

/// The longest cookie that is read, in bytes; the nodes write 75.
const MAX_COOKIE: u64 = 1024;

/// Makes the `Authorization` header, and makes it again when the cookie has changed.
pub(crate) struct Credentials {
    auth: Auth,
    kept: Mutex<Kept>,
}

/// The header as it was last made, so that the cookie file is read once per start of the node.
#[derive(Default)]
struct Kept {
    header: Option<HeaderValue>,
    /// Counts the cookies, so that of many refused calls one reads the file again.
    generation: u64,
}

impl Credentials {
    pub(crate) fn new(auth: Auth) -> Self {
        Self {
            auth,
            kept: Mutex::default(),
        }
    }

    /// The header, if there is anything to prove.
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, RpcError> {
        let mut kept = self.lock();
        if kept.header.is_none() {
            kept.header = self.make()?;
        }
        Ok(kept.header.clone())
    }

    /// Which of the cookies a call that begins now is made with.
    pub(crate) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Forgets the cookie with which a call was refused; says whether there is another to try.
    pub(crate) fn renew(&self, refused: u64) -> bool {
        if !matches!(self.auth, Auth::Cookie(_)) {
            return false;
        }
        let mut kept = self.lock();
        if kept.generation != refused {
            return true;
        }
        let old = kept.header.take();
        let Ok(new) = self.make() else {
            return false;
        };
        let changed = new != old;
        kept.header = new;
        kept.generation += u64::from(changed);
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self) -> Result<Option<HeaderValue>, RpcError> {
        let pair = match &self.auth {
            Auth::Basic { user, password } => {
                Zeroizing::new(format!("{user}:{}", password.as_str()))
            }
            Auth::Cookie(path) => read_cookie(path)?,
            Auth::None => return Ok(None),
        };
        let text = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())));
        // Base64 has no character that a header does not allow.
        let mut value = HeaderValue::from_str(&text).map_err(|_| RpcError::Unauthorized)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl core::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Credentials({:?})", self.auth)
    }
}

fn read_cookie(path: &Path) -> Result<Zeroizing<String>, RpcError> {
    let fault = |reason: String| RpcError::Cookie {
        path: path.to_owned(),
        reason,
    };
    let mut text = Zeroizing::new(String::with_capacity(MAX_COOKIE as usize));
    File::open(path)
        .and_then(|file| file.take(MAX_COOKIE).read_to_string(&mut text))
        .map_err(|error| fault(error.to_string()))?;
    let cookie = text.trim();
    if cookie.is_empty() {
        return Err(fault("it is empty".to_owned()));
    }
    Ok(Zeroizing::new(cookie.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_refused_calls_reads_the_new_cookie_and_all_use_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(".cookie");
        let credentials = Credentials::new(Auth::Cookie(path.clone()));
        assert!(matches!(credentials.header(), Err(RpcError::Cookie { .. })));
        std::fs::write(&path, "\n").expect("written");
        assert!(matches!(
            credentials.header(),
            Err(RpcError::Cookie { reason, .. }) if reason == "it is empty"
        ));

        std::fs::write(&path, "__cookie__:one").expect("written");
        let first = credentials.header().expect("a cookie");
        let (one, other) = (credentials.generation(), credentials.generation());
        assert!(!credentials.renew(one), "the cookie is still the same");
        std::fs::write(&path, "__cookie__:two").expect("written");
        assert!(credentials.renew(one));
        assert!(credentials.renew(other), "somebody else has renewed it");
        let second = credentials.header().expect("a cookie");
        assert_ne!(first, second);
        assert!(!credentials.renew(credentials.generation()));
    }

    #[test]
    fn a_huge_cookie_file_is_not_read_whole() {
        let credentials = Credentials::new(Auth::Cookie("/dev/zero".into()));
        let header = credentials.header().expect("zeros are text").expect("one");
        assert!(header.len() < 2048);
    }

    #[test]
    fn nothing_is_told_of_passwords() {
        let credentials = Credentials::new(Auth::basic("user", "secret"));
        let header = credentials.header().expect("no file").expect("a header");
        assert_eq!(header, "Basic dXNlcjpzZWNyZXQ=");
        let told = format!("{credentials:?} {header:?}");
        assert!(!told.contains("secret") && !told.contains("c2VjcmV0") && !told.contains("NlY3"));
    }
}
