//! Where answers come from: a running controller, or the policy folder alone.

use super::args::{Global, SelectorText};
use super::client::{Client, ClientError, Endpoint, segment};
use super::exit::{Exit, Failure};
use super::folder::Folder;
use crate::admin::explanation::Explanation;
use crate::admin::view::{List, PolicyView};
use crate::places::Places;

/// Where answers come from.
#[derive(Debug)]
pub enum Origin {
    /// A running controller.
    Controller(Client),
    /// The policy folder and the sidecars in it.
    Folder(Folder),
}

/// What was asked for, and what of it is not there.
#[derive(Debug)]
pub struct Found {
    /// Policies, in the order asked for, else by name.
    pub policies: Vec<PolicyView>,
    /// Names that no policy has.
    pub missing: Vec<String>,
}

/// The running controller that `global` means.
///
/// # Errors
/// When none answers; it says where it was tried and what would help.
pub async fn controller(global: &Global) -> Result<Client, Failure> {
    if let Some(url) = &global.server {
        let endpoint = Endpoint::server(url, global.token_file.as_deref())?;
        return Ok(Client::reach(endpoint).await?);
    }
    let sockets = match &global.socket {
        Some(path) => vec![path.clone()],
        None => Places::of_this_process().sockets(),
    };
    let mut tried = Vec::new();
    for socket in sockets {
        match Client::reach(Endpoint::Socket(socket)).await {
            Ok(client) => return Ok(client),
            Err(ClientError::Unreachable { at, source }) => tried.push((at, source)),
            Err(error) => return Err(error.into()),
        }
    }
    let denied = tried.iter().any(|(_, error)| error.kind() == std::io::ErrorKind::PermissionDenied);
    let help = if denied {
        "only docktor's user, root and the socket's group may use it"
    } else {
        "start it with `docktor run`, or say where it is with --socket or --server"
    };
    let tried: Vec<_> = tried.iter().map(|(at, error)| format!("{at} ({error})")).collect();
    Err(Failure::say(Exit::Unreachable, format!("no docktor answers at {}; {help}", tried.join(" or "))))
}

impl Origin {
    /// The controller if one answers, else the folder; `--policies` alone means the folder at once.
    ///
    /// # Errors
    /// When there is neither.
    pub async fn find(global: &Global) -> Result<Self, Failure> {
        let asked_for_controller = global.socket.is_some() || global.server.is_some();
        if let (Some(folder), false) = (&global.policies, asked_for_controller) {
            return Folder::read(folder).map(Self::Folder);
        }
        let failure = match controller(global).await {
            Ok(client) => return Ok(Self::Controller(client)),
            Err(failure) if failure.exit == Exit::Unreachable => failure,
            Err(failure) => return Err(failure),
        };
        // The local folder says nothing about a server elsewhere.
        let default = (global.server.is_none()).then(|| {
            std::env::var_os("DOCKTOR_POLICIES")
                .map_or_else(|| Places::of_this_process().policies, Into::into)
        });
        let folder = global.policies.clone().or(default).filter(|it| it.is_dir());
        match folder {
            Some(folder) => {
                eprintln!("docktorctl: {:#}", failure.error);
                eprintln!("docktorctl: this is what {} and its status files say", folder.display());
                Folder::read(&folder).map(Self::Folder)
            }
            None => Err(failure),
        }
    }

    /// The policies of these names, or all, that have these labels.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub async fn policies(
        &self,
        names: &[String],
        selector: Option<&SelectorText>,
    ) -> Result<Found, Failure> {
        let selected =
            |it: &PolicyView| selector.is_none_or(|wanted| wanted.selector.selects(&it.metadata.labels));
        if names.is_empty() {
            let mut policies = match self {
                Self::Controller(client) => {
                    let query = selector.map_or("", |it| &it.text);
                    let path = format!("/api/v1/policies?labelSelector={}", segment(query));
                    client.get::<List<PolicyView>>(&path).await?.items
                }
                Self::Folder(folder) => folder.policies.clone(),
            };
            policies.retain(selected);
            return Ok(Found { policies, missing: Vec::new() });
        }
        let mut found = Found { policies: Vec::new(), missing: Vec::new() };
        for name in names {
            match self.policy(name).await? {
                Some(policy) if selected(&policy) => found.policies.push(policy),
                Some(_) => {}
                None => found.missing.push(name.clone()),
            }
        }
        Ok(found)
    }

    /// The policy of that name.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub async fn policy(&self, name: &str) -> Result<Option<PolicyView>, Failure> {
        match self {
            Self::Folder(folder) => Ok(folder.policies.iter().find(|it| it.metadata.name == name).cloned()),
            Self::Controller(client) => {
                match client.get(&format!("/api/v1/policies/{}", segment(name))).await {
                    Ok(policy) => Ok(Some(policy)),
                    Err(error) if error.exit() == Exit::NothingFound => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    /// The explanation of that policy's present decision; only a controller has one.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub async fn explanation(&self, name: &str) -> Result<Option<Explanation>, Failure> {
        let Self::Controller(client) = self else { return Ok(None) };
        match client.get(&format!("/api/v1/policies/{}/explain", segment(name))).await {
            Ok(explanation) => Ok(Some(explanation)),
            Err(error) if error.exit() == Exit::NothingFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Found {
    /// Complain about names that no policy has.
    ///
    /// # Errors
    /// When there are such names, or nothing was found at all.
    pub fn complain(&self, what: &str) -> Result<(), Failure> {
        match self.missing.as_slice() {
            [] if self.policies.is_empty() => {
                Err(Failure::say(Exit::NothingFound, format!("no {what} found")))
            }
            [] => Ok(()),
            missing => {
                let missing: Vec<_> = missing.iter().map(|it| format!("`{it}`")).collect();
                let sentence = format!("there is no policy {}", missing.join(", "));
                Err(Failure::say(Exit::NothingFound, sentence))
            }
        }
    }
}
