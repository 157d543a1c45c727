//! References to secrets, and URLs without any.

use std::path::{Component, Path as FilePath};

use super::findings::Findings;
use crate::api::metric::{Auth, Tls};
use crate::api::path::Path;
use crate::api::read::hint::{list, shorten};
use crate::api::secret::Secret;

/// What the name of a variable with a secret begins with.
const PREFIX: &str = "DOCKTOR_SECRET_";

pub(super) fn secret(secret: &Secret, path: &Path, findings: &mut Findings) {
    match secret {
        Secret::Env(name) => {
            let is_valid = name.strip_prefix(PREFIX).is_some_and(|rest| {
                !rest.is_empty()
                    && rest.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
            });
            if !is_valid {
                let message = format!(
                    "found `{}`; only variables whose name begins with `{PREFIX}` are read, \
                     with capital letters, digits and `_` after it",
                    shorten(name)
                );
                findings.add(path.key("env"), message);
            }
        }
        Secret::File(file) => {
            if file.as_os_str().is_empty() {
                findings.add(path.key("file"), "found nothing; expected a file below the secrets folder");
            } else if file.components().any(|part| part == Component::ParentDir) {
                let message = "a secret's file lies below the secrets folder; `..` is not followed";
                findings.add(path.key("file"), message);
            }
        }
    }
}

pub(super) fn optional(it: Option<&Secret>, path: Path, findings: &mut Findings) {
    if let Some(it) = it {
        secret(it, &path, findings);
    }
}

pub(super) fn auth(auth: Option<&Auth>, path: &Path, findings: &mut Findings) {
    let Some(auth) = auth else { return };
    let path = path.key("auth");
    optional(auth.password.as_ref(), path.key("password"), findings);
    optional(auth.token.as_ref(), path.key("token"), findings);
    let by_password = auth.user.is_some() || auth.password.is_some();
    if by_password && auth.token.is_some() {
        findings.add(path, "found `user` or `password` together with `token`; keep one way");
    } else if auth.user.is_some() && auth.password.is_none() {
        findings.add(path.key("password"), "`user` needs a `password`");
    } else if !by_password && auth.token.is_none() {
        findings.add(path, "found nothing; expected `user` and `password`, or `token`");
    }
}

pub(super) fn tls(tls: Option<&Tls>, path: &Path, findings: &mut Findings) {
    let Some(tls) = tls else { return };
    let path = path.key("tls");
    optional(tls.key.as_ref(), path.key("key"), findings);
    for (name, file) in [("ca", &tls.ca), ("certificate", &tls.certificate)] {
        if file.as_deref().is_some_and(|file| file == FilePath::new("")) {
            findings.add(path.key(name), "found nothing; expected a file");
        }
    }
    if tls.certificate.is_some() != tls.key.is_some() {
        findings.add(path, "`certificate` and `key` belong together; write both or none");
    }
}

/// Is `url` one of these schemes, with a host and without a secret?
pub(super) fn url(url: &str, schemes: &[&str], path: Path, findings: &mut Findings) {
    let forms: Vec<String> = schemes.iter().map(|scheme| format!("{scheme}://…")).collect();
    let forms: Vec<&str> = forms.iter().map(String::as_str).collect();
    let Some((scheme, rest)) = url.split_once("://") else {
        let message = format!("found `{}`; expected {}", shorten(url), list(&forms, "or"));
        // What comes before an `@` may be a password, so it is not repeated.
        let message = if url.contains('@') { format!("expected {}", list(&forms, "or")) } else { message };
        findings.add(path, message);
        return;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        let message = "a user or password in a URL would be a secret written into the policy; take it out, \
                       and write `auth: {user: NAME, password: {file: NAME}}` beside the URL";
        findings.add_secret(path, message);
    } else if !schemes.contains(&scheme) {
        let message = format!("found `{}`; expected {}", shorten(url), list(&forms, "or"));
        findings.add(path, message);
    } else if (authority.is_empty() && scheme != "unix") || url.contains(char::is_whitespace) {
        findings
            .add(path, format!("found `{}`; a host is missing, as in `{scheme}://host:port`", shorten(url)));
    }
}

/// Headers that carry secrets must not be written out.
pub(super) fn headers<'h>(names: impl IntoIterator<Item = &'h String>, path: &Path, findings: &mut Findings) {
    const SECRET_HEADERS: [&str; 5] =
        ["authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token"];
    for name in names {
        let lower = name.to_lowercase();
        if SECRET_HEADERS.contains(&&*lower) {
            let message =
                format!("the header `{name}` is a secret written into the policy; use `auth` instead");
            findings.add_secret(path.key(name), message);
        } else if !is_token(name) {
            findings.add(path.key(name), format!("`{}` is no name of a header", shorten(name)));
        }
    }
}

/// A token of RFC 9110.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}
