use end_to_end::actions;

use super::template::{does_what_the_sample_does, imports, project, tested};

#[tokio::test]
async fn a_new_action_in_c_is_built_and_does_what_the_sample_does() {
    let artifact = tested(&project("c").await, actions::runtime(), Vec::new()).await;
    assert_eq!(imports(&artifact), ["clock", "session"]);
    does_what_the_sample_does(actions::runtime(), artifact, &actions::LIMITS).await;
}
