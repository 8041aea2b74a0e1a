//! The *messages* are the task in a model's terms: the system message, then one
//! of the user.

use consort_plugin_sdk::{Failure, Invocation, message};
use serde_json::{Value, json};

/// The messages for a task.
pub(crate) fn messages(call: &Invocation, system: Option<&str>) -> Result<Value, Failure> {
    let mut messages = Vec::with_capacity(2);
    if let Some(system) = system {
        messages.push(json!({"role": "system", "content": system}));
    }
    messages.push(json!({"role": "user", "content": message::user_content(call)?}));
    Ok(Value::Array(messages))
}

#[cfg(test)]
mod tests {
    use consort_plugin_sdk::Payload;
    use consort_plugin_sdk::testing::invocation;

    use super::*;

    #[test]
    fn the_system_message_goes_before_the_task() {
        let call = invocation("Merge these").after("notes", Payload::Text("first".into()));
        let expected = json!([
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": "Merge these\n\n## Result of notes\n\nfirst"},
        ]);
        assert_eq!(messages(&call, Some("Be brief")), Ok(expected));
        assert_eq!(messages(&call, None).unwrap()[0]["role"], "user");
    }
}
