//! The authentication header sent to the node.

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

/// The maximum size of a cookie file, in bytes; the nodes write 75.
const MAX_COOKIE: u64 = 1024;

/// Creates the `Authorization` header, and creates it again when the cookie has changed.
pub(crate) struct Credentials {
    auth: Auth,
    cache: Mutex<Cache>,
}

/// The last header, kept so that the cookie file is read only once per start of the node.
#[derive(Default)]
struct Cache {
    header: Option<HeaderValue>,
    /// Counts the cookies, so that only one of many refused calls reads the file again.
    generation: u64,
}

impl Credentials {
    pub(crate) fn new(auth: Auth) -> Self {
        Self {
            auth,
            cache: Mutex::default(),
        }
    }

    /// Returns the header, if there are credentials.
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, RpcError> {
        let mut cache = self.lock();
        if cache.header.is_none() {
            cache.header = self.make()?;
        }
        Ok(cache.header.clone())
    }

    /// Returns the generation of the cookie that a call started now uses.
    pub(crate) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Drops the cookie that was refused. Returns whether there is another one to try.
    pub(crate) fn renew(&self, refused: u64) -> bool {
        if !matches!(self.auth, Auth::Cookie(_)) {
            return false;
        }
        let mut cache = self.lock();
        if cache.generation != refused {
            return true;
        }
        let old = cache.header.take();
        let Ok(new) = self.make() else {
            return false;
        };
        let changed = new != old;
        cache.header = new;
        cache.generation += u64::from(changed);
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
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
        // Base64 contains only characters that a header allows.
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
    fn one_of_many_refused_calls_reads_the_new_cookie_for_all() {
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
        assert!(credentials.renew(other), "another call has renewed it");
        let second = credentials.header().expect("a cookie");
        assert_ne!(first, second);
        assert!(!credentials.renew(credentials.generation()));
    }

    #[test]
    fn a_huge_cookie_file_is_not_read_to_the_end() {
        let credentials = Credentials::new(Auth::Cookie("/dev/zero".into()));
        let header = credentials.header().expect("zeros are text").expect("one");
        assert!(header.len() < 2048);
    }

    #[test]
    fn debug_output_contains_no_password() {
        let credentials = Credentials::new(Auth::basic("user", "secret"));
        let header = credentials.header().expect("no file").expect("a header");
        assert_eq!(header, "Basic dXNlcjpzZWNyZXQ=");
        let output = format!("{credentials:?} {header:?}");
        assert!(
            !output.contains("secret") && !output.contains("c2VjcmV0") && !output.contains("NlY3")
        );
    }
}
