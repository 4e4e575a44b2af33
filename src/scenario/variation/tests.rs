//! Requests of every shape, varied.

use proptest::prelude::*;

use super::*;

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

fn identities(request: &RequestSpec) -> usize {
    request.holes().into_iter().filter(is_identity).count()
}

fn get(target: &str) -> RequestSpec {
    RequestSpec::get(&template(target))
}

/// Every part of a request that can carry an identity, with a neighbour that does not.
fn everywhere() -> RequestSpec {
    let pairs = |name: &str, other: &str| {
        vec![(name.to_owned(), template("a{canary}")), (other.to_owned(), Template::literal("1"))]
    };
    RequestSpec {
        method: "POST".to_owned(),
        headers: pairs("x-user", "accept"),
        cookies: pairs("session", "theme"),
        ..get("/page/?email={canary}&n=5&{identity.lang}&sleep={sleep}")
    }
}

/// `{"user": {"email": "{canary}", "age": 7}, "list": ["{token}", "b"]}`
fn json() -> BodySpec {
    let user =
        vec![("email".to_owned(), Json::Text(template("{canary}"))), ("age".to_owned(), Json::Plain("7".to_owned()))];
    let list = vec![Json::Text(template("{token}")), Json::Text(template("b"))];
    BodySpec::Json(Json::Object(vec![("user".to_owned(), Json::Object(user)), ("list".to_owned(), Json::List(list))]))
}

fn form() -> BodySpec {
    BodySpec::Form(vec![("email".to_owned(), template("{canary}")), ("n".to_owned(), template("{random(1,9)}"))])
}

/// Method, target, headers and body, a line each.
fn shown(request: &RequestSpec) -> String {
    let headers: Vec<String> = request.header_lines().iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let content = request.content().map(|content| content.to_string()).unwrap_or_default();
    format!("{} {}\n{}\n{content}", request.method, request.target(), headers.join("\n"))
}

#[test]
fn an_anonymous_request_leaves_out_what_identifies_and_nothing_else() {
    let anonymous = |body: Option<BodySpec>| shown(&anonymous(&RequestSpec { body, ..everywhere() }).unwrap());
    let head = "POST /page/?n=5&sleep={sleep}\naccept: 1\ncookie: theme=1\n";
    assert_eq!(anonymous(None), head);
    assert_eq!(
        anonymous(Some(json())),
        head.to_owned() + "content-type: application/json\n{{\"user\":{{\"age\":7}},\"list\":[\"b\"]}}"
    );
    let form_type = "content-type: application/x-www-form-urlencoded\n";
    assert_eq!(anonymous(Some(form())), head.to_owned() + form_type + "n={random(1,9)}");
    let text = Template::parse_body(r#"{"user": "{canary}", "n": {seq}}"#).unwrap();
    assert_eq!(anonymous(Some(BodySpec::Text(text))), head.to_owned() + r#"{{"user": "", "n": {seq}}}"#);
}

#[test]
fn a_path_cannot_leave_out_its_identity() {
    assert_eq!(anonymous(&get("/user/{canary}/?n=1")), Err(Why::InThePath));
    assert!(Why::InThePath.to_string().contains("part of its path"));
}

#[test]
fn only_what_is_in_the_url_makes_urls_differ() {
    assert!(same_url(&RequestSpec { body: Some(json()), ..get("/?n=5") }));
    assert!(!same_url(&get("/?n=5&q={canary}")) && !same_url(&get("/{identity.id}")));
}

#[test]
fn a_padded_body_is_longer_and_still_reads() {
    let length = |request: &RequestSpec| request.content().map_or(0, |content| content.text().len());
    for body in [None, Some(json()), Some(form()), Some(BodySpec::Text(template("{{}}")))] {
        let request = RequestSpec { body, ..everywhere() };
        let padded = padded(&request, 70_000);
        assert!(length(&padded) >= length(&request) + 70_000, "{:?}", request.body);
        assert_eq!(identities(&padded), identities(&request));
        if let Some(BodySpec::Json(_)) = request.body {
            serde_json::from_str::<serde_json::Value>(&padded.content().unwrap().text()).unwrap();
        }
    }
    let bare = RequestSpec { body: Some(BodySpec::Json(Json::Text(template("{canary}")))), ..get("/") };
    assert_eq!(shown(&padded(&bare, 2)), "GET /\ncontent-type: application/json\n\"{canary}\"  ");
}

#[test]
fn numbers_are_spoilt_first_and_the_sleep_among_them() {
    let all = malformed(&get("/page/?name=bo&sleep={sleep}&email={canary}"));
    let shown: Vec<(&str, String)> =
        all.iter().map(|(what, made)| (what.as_str(), made.target().to_string())).collect();
    let expected = [
        ("the query's `sleep` of the wrong type", "/page/?name=bo&sleep=x&email={canary}"),
        ("the query's `sleep` missing", "/page/?name=bo&email={canary}"),
        ("the query's `name` missing", "/page/?sleep={sleep}&email={canary}"),
        ("the query's `sleep` empty", "/page/?name=bo&sleep=&email={canary}"),
        ("the query's `name` empty", "/page/?name=&sleep={sleep}&email={canary}"),
        ("the query's `sleep` too large a number", "/page/?name=bo&sleep=99999999999999999999&email={canary}"),
        ("the query's `email` given twice", "/page/?name=bo&sleep={sleep}&email={canary}&email={canary}"),
        ("the query's `email` ending in bytes that are no text", "/page/?name=bo&sleep={sleep}&email={canary}%FF"),
        ("an unexpected parameter in the query", "/page/?name=bo&sleep={sleep}&email={canary}&runner_extra=%FF"),
    ];
    assert!(shown.iter().map(|(what, target)| (*what, target.as_str())).eq(expected), "{shown:#?}");
}

#[test]
fn json_is_spoilt_field_by_field_and_as_a_whole() {
    let all = malformed(&RequestSpec { method: "POST".to_owned(), body: Some(json()), ..get("/") });
    let content = |what: &str| {
        let (_, request) = all.iter().find(|(known, _)| known == what).unwrap_or_else(|| panic!("{what}: {all:#?}"));
        (request.content().unwrap().to_string(), shown(request))
    };
    let of_age = content("the JSON's `user.age` of the wrong type").0;
    assert_eq!(of_age, "{{\"user\":{{\"email\":\"{canary}\",\"age\":\"x\"}},\"list\":[\"{token}\",\"b\"]}}");
    let of_list = content("the JSON's `list.1` of the wrong type").0;
    assert_eq!(of_list, "{{\"user\":{{\"email\":\"{canary}\",\"age\":7}},\"list\":[\"{token}\",0]}}");
    assert!(!content("the JSON's `user.age` missing").0.contains("age"));
    let (cut, whole) = content("the JSON cut off at its end");
    assert!(cut.ends_with("\"b\"]") && whole.contains("content-type: application/json"), "{whole}");
    assert!(content("the body said to be XML").1.contains("content-type: application/xml"));
}

#[test]
fn a_request_with_nothing_but_its_identity_can_be_malformed_too() {
    let cookie = RequestSpec { cookies: vec![("session".to_owned(), template("{canary}"))], ..get("/account/") };
    let what: Vec<String> = malformed(&cookie).into_iter().map(|(what, _)| what).collect();
    assert_eq!(what, ["the cookie `session` ending in a quote", "an unexpected parameter in the query"]);
}

prop_compose! {
    /// A request whose identity may stand anywhere but in the path.
    fn requests()(
        query in proptest::collection::vec("[a-c]{1,2}(=(1|x|\\{canary\\}|\\{sleep\\}|\\{identity\\.a\\})?)?", 0..5),
        fields in proptest::collection::vec(("[a-c]", "(7|y|\\{canary\\}|-\\{token\\})"), 0..5),
        kind in 0..5,
    ) -> RequestSpec {
        let target = if query.is_empty() { "/".to_owned() } else { format!("/?{}", query.join("&")) };
        let fields: Vec<(String, Template)> =
            fields.iter().map(|(name, text)| (name.clone(), template(text))).collect();
        let request = get(&target);
        let object = fields.iter().map(|(name, text)| (name.clone(), Json::Text(text.clone()))).collect();
        match kind {
            0 => RequestSpec { body: Some(BodySpec::Form(fields)), ..request },
            1 => RequestSpec { body: Some(BodySpec::Json(Json::List(vec![Json::Object(object)]))), ..request },
            2 => RequestSpec { cookies: fields, ..request },
            3 => RequestSpec { headers: fields, ..request },
            _ => request,
        }
    }
}

proptest! {
    #[test]
    fn the_anonymous_carry_nothing_and_are_told_from_nothing(request in requests()) {
        let anonymous = anonymous(&request).unwrap();
        prop_assert!(!anonymous.has(is_identity));
        if !request.has(is_identity) {
            prop_assert_eq!(anonymous, request);
        }
    }

    #[test]
    fn every_malformed_request_differs_and_still_carries_the_identity(request in requests()) {
        let all = malformed(&request);
        prop_assert!(!all.is_empty() && all.len() <= 12);
        for (what, varied) in &all {
            prop_assert!(identities(varied) >= identities(&request), "{} {:?}", what, varied);
            prop_assert!(*varied != request, "{}", what);
        }
    }
}
