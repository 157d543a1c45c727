//! An engine that ends and comes back, on the same socket.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use docktor::clients::docker::Engine;
use futures::StreamExt;

/// Longest wait for the end of events after the engine's.
const END: Duration = Duration::from_secs(10);

/// An engine of this test alone; gone when dropped.
struct PrivateEngine {
    name: String,
}

impl PrivateEngine {
    fn start(name: &str) -> (Self, Engine) {
        let private = Self { name: format!("{name}-{}", std::process::id()) };
        let address = private.order("start");
        (private, Engine::new(address.parse().unwrap()))
    }

    fn order(&self, action: &str) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/engine");
        let output = Command::new(script).args([action, &self.name]).output().unwrap();
        assert!(output.status.success(), "{action}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for PrivateEngine {
    fn drop(&mut self) {
        self.order("purge");
    }
}

/// Whether both kinds of call are answered.
async fn answers(engine: &Engine) -> bool {
    engine.containers(&[]).await.is_ok() && engine.start("nobody").await.unwrap_err().is_not_found()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_events_go_on_when_the_engine_is_back() {
    let (private, engine) = PrivateEngine::start("dke-restart");
    let id = engine.info().await.unwrap().id.clone();
    let mut events = engine.events().await.unwrap();
    assert!(answers(&engine).await);
    for down in ["stop", "kill"] {
        // The stream connects when it is read; nothing happens there until the engine ends.
        let (ended, _) = tokio::join!(tokio::time::timeout(END * 3, events.next()), async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            tokio::task::block_in_place(|| private.order(down));
        });
        assert!(!matches!(ended.expect("the events end with the engine"), Some(Ok(_))));
        assert!(engine.containers(&[]).await.unwrap_err().is_silence());
        assert!(engine.start("nobody").await.unwrap_err().is_silence());
        assert!(engine.events().await.is_err());
        private.order("start");
        assert!(answers(&engine).await, "at once after {down}");
        assert_eq!(engine.info().await.unwrap().id, id);
        events = engine.events().await.unwrap();
    }
}
