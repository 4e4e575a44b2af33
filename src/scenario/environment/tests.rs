use super::*;

struct World;

impl SystemContext for World {
    fn read(&self, _: &std::path::Path) -> std::io::Result<String> {
        Ok(String::new())
    }

    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "HOST" => Some("example.org".to_owned()),
            "EMPTY" => Some(String::new()),
            "ODD" => Some("${HOST}".to_owned()),
            "API_TOKEN" => Some("s3cret".to_owned()),
            "DATABASE_URL" => Some("postgres://u:p4ssw0rd@h/d".to_owned()),
            _ => None,
        }
    }
}

fn plain(text: &str) -> Result<Option<String>, Unfilled> {
    expand(text, &World, None)
}

#[test]
fn variables_and_defaults_are_filled_in() {
    assert_eq!(plain("http://${HOST}/${NONE:-a}${EMPTY:-b}${EMPTY}"), Ok(Some("http://example.org/ab".to_owned())));
    assert_eq!(plain("no $HOST {x}"), Ok(None));
    assert_eq!(plain("$${HOST}"), Ok(Some("${HOST}".to_owned())));
    assert_eq!(plain("a${NONE}"), Err((1..8, Some("NONE".to_owned()))));
    assert_eq!(plain("a${"), Err((1..3, None)));
    assert_eq!(plain("a${1}"), Err((1..3, None)));
}

#[test]
fn a_default_may_hold_variables_and_braces() {
    let filled = |text| plain(text).map(Option::unwrap);
    let host = |text: String| Ok(text.replace('H', "example.org"));
    assert_eq!(filled("a${NONE:-${HOST}}b"), host("aHb".to_owned()));
    assert_eq!(filled("${NONE:-${EMPTY:-${HOST}}}/${NONE:-x${HOST}y${HOST}}"), host("H/xHyH".to_owned()));
    assert_eq!(filled("${HOST:-${NONE}}"), host("H".to_owned()), "what is not needed need not be set");
    assert_eq!(filled("${NONE:-/{seq}/}${HOST:-{seq}}"), host("/{seq}/H".to_owned()));
    assert_eq!(filled("${NONE:-{{\"a\": 1}}}"), Ok("{{\"a\": 1}}".to_owned()));
    assert_eq!(filled("${NONE:-$${HOST}}"), Ok("${HOST}".to_owned()));
    assert_eq!(plain("a${NONE:-b${NONE2}}"), Err((10..18, Some("NONE2".to_owned()))));
    assert_eq!(plain("${NONE:-${HOST}"), Err((0..2, None)), "a brace is missing");
}

#[test]
fn a_secret_within_a_default_stays_a_name() {
    let (text, secrets) =
        shown("[load]\npath = '/${NONE:-${HOST}}/${NONE:-${API_TOKEN}}/${A_TOKEN:-${HOST}-${API_TOKEN}}'");
    assert!(text.contains("path = \"/example.org/${API_TOKEN}/${A_TOKEN}\""), "{text}");
    assert_eq!(secrets.hide("example.org-s3cret s3cret"), "${A_TOKEN} ${API_TOKEN}");
}

fn shown(text: &str) -> (String, Secrets) {
    let tree = DeTable::parse(text).unwrap().into_inner();
    let mut secrets = secrets(&mut tree.clone(), &World);
    (effective(tree, &mut secrets, &World), secrets)
}

#[test]
fn secrets_stay_names_and_the_rest_can_be_read_again() {
    let text = "[load]\npath = '/${HOST}/${ODD}/$${X}'\n[load.headers]\nx-a = '${API_TOKEN}'\nauthorization = 'abc'\n\
                    cookie = 'id={canary}'\n[load.cookies]\nid = 'abc'";
    let (shown, _) = shown(text);
    assert!(shown.contains("path = \"/example.org/$${HOST}/$${X}\""), "{shown}");
    assert!(shown.contains("x-a = \"${API_TOKEN}\"") && !shown.contains("abc"), "{shown}");
    assert!(shown.contains("id={canary}"), "{shown}");
    let note = "# Not shown here, and to be set in the environment before this file is run:\n\
                    #   API_TOKEN, of `load.headers.x-a`\n#   RUNNER_LOAD_HEADERS_AUTHORIZATION, of `load.headers.authorization`\n";
    assert!(shown.starts_with(note), "{shown}");
}

#[test]
fn what_is_left_as_a_name_is_a_secret() {
    let text = "[load]\npath = '/${HOST}?t=${API_TOKEN}&u=${A_TOKEN:-none}'\nbody = 'so s3cret'\n\
                    [load.headers]\ncookie = 'id=${HOST}${'";
    let (shown, secrets) = shown(text);
    assert_eq!(secrets.hide("s3cret none example.org"), "${API_TOKEN} none ${HOST}");
    assert!(shown.contains("body = \"so ${API_TOKEN}\""), "{shown}");
    assert!(shown.contains("u=${A_TOKEN:-none}"), "{shown}");
}

#[test]
fn a_variable_stands_for_what_the_file_itself_holds_and_fills_it_in_again() {
    let text = r#"
about = "with hunter2-f00d"
[server]
command = ["python3", "s.py", "--password", "hunter2-a", "--api-key=hunter2-b"]
[server.env]
DB = "postgres://u:hunter2-c@h/db"
[dirty]
path = "/x?user={canary}&token=hunter2-d"
body = "{{\"password\": \"hunter2-e\"}}"
headers = { authorization = "Basic dTpodW50ZXIyLWYwMGQ=", x-copy = "dTpodW50ZXIyLWYwMGQ= {canary}", cookie = "sid=hunter2-g; u={canary}" }
identities = [{ email = "a@b.c", password = "hunter2-h" }, { email = "d@e.f", password = "hunter2-i" }]
[dirty.login]
json = { password = "hunter2-f00d", pass = "${UNSET_PASS:-hunter2-j}" }
[matrix]
"dirty.headers.x-api-key" = ["hunter2-k", "hunter2-l"]
"#;
    let (shown, secrets) = shown(text);
    assert!(!shown.contains("hunter2") && !shown.contains("dTpodW50"), "{shown}");
    for part in [
        "with ${RUNNER_DIRTY_LOGIN_JSON_PASSWORD}",
        "--api-key=${RUNNER_SERVER_COMMAND_API_KEY}",
        "postgres://u:${RUNNER_SERVER_ENV_DB_PASSWORD}@h/db",
        "user={canary}&token=${RUNNER_DIRTY_PATH_TOKEN}",
        "${RUNNER_DIRTY_IDENTITIES_PASSWORD_2}",
        "${UNSET_PASS}",
        "sid=${RUNNER_DIRTY_HEADERS_COOKIE_SID}; u={canary}",
        "[\"${RUNNER_MATRIX_DIRTY_HEADERS_X_API_KEY}\", \"${RUNNER_MATRIX_DIRTY_HEADERS_X_API_KEY_2}\"]",
        "a@b.c",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let strings = |text: &str, world: &dyn SystemContext| {
        let mut all = Vec::new();
        let mut tree = DeTable::parse(text).unwrap().into_inner();
        toml_tree::each_string(&mut tree, &mut |path, _, text| {
            all.push((path.join("."), expand(text, world, None).unwrap().unwrap_or_else(|| text.to_string())));
        });
        all
    };
    let again = strings(&shown, &Known { secrets: &secrets, system: &World });
    let mut written = strings(text, &World);
    written.sort();
    assert_eq!(
        {
            let mut again = again;
            again.sort();
            again
        },
        written
    );
}

#[test]
fn the_password_of_an_address_in_a_variable_is_a_secret_with_the_rest_of_it_or_without() {
    let (shown, secrets) = shown("[server]\ncommand = ['serve', '${DATABASE_URL}', '${HOST}']");
    assert!(shown.contains("\"${DATABASE_URL}\", \"example.org\""), "{shown}");
    assert_eq!(
        secrets.hide("cannot reach p4ssw0rd at postgres://u:p4ssw0rd@h/d"),
        "cannot reach ${DATABASE_URL_PASSWORD} at ${DATABASE_URL}"
    );
}

#[test]
fn a_secret_that_is_a_number_is_one_again_when_it_is_filled_in() {
    let text = "[load]\nthreads = 2\n[load.json]\npassword = 47114711\nnested = { pins = [556677, 90.25], age = 12345 }\n\
                [dirty]\nidentities = [{ name = 'ann', pin = 31337 }, { name = 'bob', pin = 31338 }]";
    let (text, secrets) = shown(text);
    for name in ["RUNNER_NUMBER_LOAD_JSON_PASSWORD", "RUNNER_NUMBER_DIRTY_IDENTITIES_PIN_2"] {
        assert!(text.contains(&format!("\"${{{name}}}\"")), "{text}");
    }
    assert!(text.contains("threads = 2") && text.contains("age = 12345"), "{text}");
    assert_eq!(secrets.hide("{\"password\":47114711}"), "{\"password\":${RUNNER_NUMBER_LOAD_JSON_PASSWORD}}");
    let mut tree = DeTable::parse(&text).unwrap().into_inner();
    let (mut problems, mut numbers) = (Problems::default(), Numbers::default());
    let known = Known { secrets: &secrets, system: &World };
    fill(&mut tree, &known, &mut problems, &mut InvalidPaths::default(), &mut numbers);
    assert_eq!(problems.count(), 0, "{problems}");
    let password = toml_tree::get(&tree, &["load", "json", "password"]).unwrap();
    assert!(numbers.has(&password.span()) && password.get_ref().as_str() == Some("47114711"));
}

#[test]
fn what_fills_in_after_the_name_of_a_secret_is_one() {
    let (text, secrets) =
        shown("[load]\npath = '/a?token=${NONE:-s3cret-default}&x=${NONE2:-plain-default}&api_key=${HOST}'");
    assert_eq!(secrets.hide("s3cret-default plain-default example.org"), "${NONE} plain-default ${HOST}");
    assert!(text.contains("path = \"/a?token=${NONE}&x=plain-default&api_key=${HOST}\""), "{text}");
}
