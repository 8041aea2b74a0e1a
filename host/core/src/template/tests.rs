use super::*;
use serde_json::json;

#[test]
fn gaps_are_filled_and_plain_text_is_not_touched() {
    let template = Template::new("Compare {{ results.a.text }} with {{ inputs.n }}").unwrap();
    let values = json!({"results": {"a": {"text": "x"}}, "inputs": {"n": 3}});
    assert_eq!(&*template.render(|| values).unwrap(), "Compare x with 3");
    let plain = Template::new("100 % {plain}").unwrap();
    assert_eq!(&*plain.render(|| -> () { panic!("not needed") }).unwrap(), "100 % {plain}");
}

#[test]
fn shared_values_are_parts_of_others_as_they_are() {
    #[derive(Serialize)]
    struct Values {
        results: Shared,
        item: u32,
    }
    let results = Shared::new(json!({"a": [1, {"b": "x"}]}));
    let template = Template::new("{{ results.a[1].b }}{{ item }}").unwrap();
    for item in 0..2 {
        let values = Values { results: results.clone(), item };
        assert_eq!(*template.render(|| values).unwrap(), *format!("x{item}"));
    }
    assert_eq!(serde_json::to_value(&results).unwrap(), json!({"a": [1, {"b": "x"}]}));
}

#[test]
fn strings_are_inserted_as_they_are_and_anything_else_as_json() {
    let values = json!({"v": {"of": [true, null, 1, "x"]}, "s": "a \"b\""});
    let render = |source: &str| Template::new(source).unwrap().render(|| &values).unwrap();
    assert_eq!(&*render("{{ v }}"), r#"{"of":[true,null,1,"x"]}"#);
    assert_eq!(
        &*render("{{ s }} {{ v.of[0] }} {{ v.of[1] }} {{ v.of[2] + 1 }}"),
        r#"a "b" true null 2"#
    );
}

#[test]
fn holes_endless_loops_and_floods_are_errors() {
    let render = |source: &str| Template::new(source).unwrap().render(|| json!({"a": {}}));
    assert!(render("{{ a.b.c }}").is_err());
    let hole = render("hello {{ nothing }}").unwrap_err();
    assert_eq!(hole, "`nothing` is undefined (line 1 of the template)");
    let hole = render("hello {{ a.b['c'].d }}").unwrap_err();
    assert_eq!(hole, "`a.b['c']` is undefined (line 1 of the template)");
    let endless = "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}";
    let error = render(endless).unwrap_err();
    assert!(error.starts_with("it takes more than 1000000 steps; let a transformer"), "{error}");
    let flood = "{% for i in range(9999) %}{{ '0123456789' * 100 }}{% endfor %}";
    assert!(render(flood).is_err());
    assert!(Template::new("{% if %}").is_err());
}
