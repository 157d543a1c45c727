//! What must be known of a donor before it is cloned, and what of it is worth a remark.
//!
//! Most of it is told by the donor alone (`traps`, `declared`); here the engine and the files are asked.

use std::path::Path;

use serde_json::Value;

use super::donor::Naming;
use super::{declared, labels, traps};
use crate::actuators::{Ceiling, Obstacle};
use crate::api::condition::Reason;
use crate::clients::docker::{Engine, EngineError};

/// Largest Compose file that is read.
const LARGEST_FILE: u64 = 1 << 20;

/// Most Compose files of one project that are read.
const MOST_FILES: usize = 16;

/// A donor, examined.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Facts {
    /// The donor as `GET /containers/{id}/json` shows it.
    pub donor: Value,
    pub naming: Naming,
    /// What a clone is made from: the image's reference, or its id where that means another one by now.
    pub image: String,
    pub ceiling: Option<Ceiling>,
    pub obstacle: Option<Obstacle>,
    pub remarks: Vec<Obstacle>,
}

/// Examines a donor.
pub(super) async fn examine(
    engine: &Engine,
    donor: Value,
    service: &str,
    naming: Naming,
    stateful: bool,
) -> Result<Facts, EngineError> {
    let id = donor["Id"].as_str().unwrap_or_default();
    let image = choose_image(engine, &donor).await?;
    let mut obstacle = image.as_ref().err().cloned();
    if obstacle.is_none() {
        obstacle = stale_namespace(engine, &donor).await?;
    }
    if obstacle.is_none() {
        obstacle = traps::written_secrets(&donor, &engine.changes(id).await?);
    }
    if obstacle.is_none() {
        obstacle = declared::obstacle(&project_files(&donor).await, service);
    }
    let ceiling = traps::ceiling(&donor, naming, stateful);
    let (image, moved) = image.unwrap_or_default();
    let remarks = moved.into_iter().chain(traps::shared_volume(&donor)).collect();
    Ok(Facts { donor, naming, image, ceiling, obstacle, remarks })
}

/// The image's reference while it still means the donor's image, else its id and a remark.
async fn choose_image(
    engine: &Engine,
    donor: &Value,
) -> Result<Result<(String, Option<Obstacle>), Obstacle>, EngineError> {
    let reference = donor["Config"]["Image"].as_str().unwrap_or_default();
    let id = donor["Image"].as_str().unwrap_or_default();
    if find_image(engine, reference).await?.as_deref() == Some(id) {
        return Ok(Ok((reference.to_owned(), None)));
    }
    if find_image(engine, id).await?.is_none() {
        return Ok(Err(Obstacle {
            reason: Reason::ImageMissing,
            message: format!("image {id} is gone from the engine; run `docker compose up -d`"),
        }));
    }
    let remark = Obstacle {
        reason: Reason::ImageMoved,
        message: format!(
            "{reference} means another image by now; new replicas run the old one until `docker compose up -d`"
        ),
    };
    Ok(Ok((id.to_owned(), Some(remark))))
}

/// The id of the image of that name, if there is one. Nothing is ever pulled.
async fn find_image(engine: &Engine, name: &str) -> Result<Option<String>, EngineError> {
    match engine.image(name).await {
        Ok(image) => Ok(image["Id"].as_str().map(str::to_owned)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn stale_namespace(engine: &Engine, donor: &Value) -> Result<Option<Obstacle>, EngineError> {
    for id in traps::borrowed_from(donor) {
        match engine.inspect(&id).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => return Ok(Some(traps::stale_namespace(&id))),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The project's own files, as far as they can be read from here.
async fn project_files(donor: &Value) -> Vec<String> {
    let paths = donor["Config"]["Labels"][labels::CONFIG_FILES].as_str().unwrap_or_default();
    let mut texts = Vec::new();
    for path in paths.split(',').filter(|it| it.starts_with('/')).take(MOST_FILES) {
        if let Some(text) = read_file(Path::new(path)).await {
            texts.push(text);
        }
    }
    texts
}

async fn read_file(path: &Path) -> Option<String> {
    let is_plain =
        tokio::fs::metadata(path).await.ok().is_some_and(|it| it.is_file() && it.len() <= LARGEST_FILE);
    if is_plain { tokio::fs::read_to_string(path).await.ok() } else { None }
}
