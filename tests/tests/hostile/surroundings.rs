//! Looking around in the sandbox, in which there is nothing.

use consort_plugin_host::{Outcome, Payload, Step};
use consort_tests::lab::Lab;
use serde_json::{Value, json};

consort_hostile_adapter::surroundings_behaviours!(assert_tests_exist);

async fn found(lab: &Lab, behaviour: &str) -> Value {
    match lab.misbehave(behaviour).await.unwrap() {
        Step::Done(Outcome { output: Payload::Json(json), .. }) => {
            serde_json::from_str(&json).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn look_around() {
    let found = found(&Lab::new().await, "look_around").await;
    let nothing = json!({"variables": [], "arguments": [], "readable": [], "written": false});
    assert_eq!(found, nothing);
}

#[tokio::test]
async fn open_tcp() {
    let lab = Lab::new().await;
    assert_eq!(found(&lab, "open_tcp").await, json!({"connected": false}));
}

#[tokio::test]
async fn open_udp() {
    let lab = Lab::new().await;
    assert_eq!(found(&lab, "open_udp").await, json!({"sent": false}));
}

#[tokio::test]
async fn look_up_name() {
    let lab = Lab::new().await;
    assert_eq!(found(&lab, "look_up_name").await, json!({"resolved": false}));
}

#[tokio::test]
async fn listen() {
    let lab = Lab::new().await;
    assert_eq!(found(&lab, "listen").await, json!({"listening": false}));
}

#[tokio::test]
async fn read_stdin() {
    let lab = Lab::new().await;
    assert_eq!(found(&lab, "read_stdin").await, json!({"read": 0}));
}
