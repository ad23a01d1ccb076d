use end_to_end::actions;

use super::template::{does_what_the_sample_does, imports, project, tested};
use crate::kit::parity::of_a_component;

#[tokio::test]
async fn a_new_action_in_c_is_built_and_does_what_the_sample_does() {
    let artifact = tested(&project("c").await, actions::runtime(), Vec::new()).await;
    assert_eq!(imports(&artifact), ["clock", "session"]);
    of_a_component(&artifact, actions::LIMITS).await;
    does_what_the_sample_does(actions::runtime(), artifact, &actions::LIMITS).await;
}
