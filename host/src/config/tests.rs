//! What the file may say, what every problem is called, and what `check` shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use secrecy::ExposeSecret;

use super::*;

/// Enough for `sigv4` to have a key.
const KEY: &str = "[[api.credentials]]\naccess_key_id = \"AKIAHYDRANT\"\nsecret_access_key_env = \"HYDRANT_SECRET\"\n";
const SECRET: &str = "canary-0d1f6a";

fn environment() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([("HYDRANT_SECRET", SECRET), ("HYDRANT_EMPTY", "\n"), ("HYDRANT_TWO", "a\nb")])
}

fn read(text: &str) -> Result<Loaded, ConfigError> {
    parse(text, Path::new("/etc/hydrant/hydrant.toml"), &environment())
}

fn settings(text: &str) -> Settings {
    read(text).unwrap_or_else(|error| panic!("{error}")).settings
}

fn problems(text: &str) -> Vec<Problem> {
    match read(text) {
        Err(ConfigError::Invalid { problems, .. }) => problems,
        other => panic!("expected problems, got {other:?}"),
    }
}

/// `text` beside a legal credential has exactly one problem: this.
#[track_caller]
fn refused(text: &str, path: &str, line: Option<usize>, what: &str, hint: &str) {
    let text = format!("{text}\n{KEY}");
    let expected = vec![Problem { path: path.to_owned(), line, what: what.to_owned(), hint: hint.to_owned() }];
    assert_eq!(problems(&text), expected, "{text}");
}

#[test]
fn defaults_are_the_promised_ones() {
    let settings = settings(KEY);
    assert_eq!(settings.data_dir, Path::new("/etc/hydrant/data"));
    assert_eq!(settings.plugin_dir, Path::new("/etc/hydrant/plugins"));
    assert_eq!((settings.region.as_str(), settings.account_id.as_str()), ("us-east-1", "000000000000"));
    assert_eq!(settings.api.listen.to_string(), "127.0.0.1:4573");
    assert_eq!(settings.admin.listen.to_string(), "127.0.0.1:9573");
    assert_eq!(settings.s3.endpoint, S3Endpoint::Aws);
    assert!(settings.s3.path_style);
    assert!(settings.egress.allow.is_empty() && !settings.egress.plaintext && settings.egress.ca_file.is_none());
    assert_eq!((settings.catalog, settings.secrets.dir), (None, None));
    assert_eq!(settings.memory.budget_bytes, 512 << 20);
    assert_eq!((settings.partitions.active_count, settings.partitions.overflow), (500, Overflow::Refuse));
    assert!(!settings.s3.bucket_owner_full_control);
    let Authentication::Sigv4(credentials) = settings.api.authentication else { panic!("sigv4 is the default") };
    assert_eq!(credentials[0].access_key_id, "AKIAHYDRANT");
    assert_eq!(credentials[0].account_id, "000000000000");
    assert_eq!(credentials[0].secret_access_key.expose_secret(), SECRET);
}

/// Every key of the design's page, all at once.
#[test]
fn every_promised_key_is_understood() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("hydrant.toml");
    std::fs::write(directory.path().join("roots.pem"), "").expect("a file");
    std::fs::write(directory.path().join("secret"), "from-a-file\n").expect("a file");
    let text = r#"
data_dir   = "/var/lib/hydrant"
plugin_dir = "wasm"
region     = "eu-central-1"
account_id = "123456789012"
[api]
listen = "0.0.0.0:80"
authentication = "sigv4"
[[api.credentials]]
access_key_id = "AKIAONE"
secret_access_key_env = "HYDRANT_SECRET"
account_id = "210987654321"
[[api.credentials]]
access_key_id = "AKIATWO"
secret_access_key_file = "secret"
[admin]
listen = "0.0.0.0:81"
[s3]
endpoint = "https://s3.example.com/"
path_style = false
[egress]
allow     = ["127.0.0.0/8", "fd00::/8"]
plaintext = true
ca_file   = "roots.pem"
resolve   = { "wh.abc.us-east-1.redshift.amazonaws.com" = "127.0.0.1" }
[catalog]
dir = "catalog"
[secrets]
dir = "secrets"
[[opensearch.credentials]]
endpoint = "https://search.example.com:9200/"
username = "writer"
password_file = "secret"
[[opensearch.credentials]]
endpoint = "http://localstack:4566"
authentication = "sigv4"
account_id = "555555555555"
"#;
    std::fs::write(&file, text).expect("a file");
    let settings = load(&file, &environment()).unwrap_or_else(|error| panic!("{error}")).settings;
    assert_eq!(settings.data_dir, Path::new("/var/lib/hydrant"));
    assert_eq!(settings.plugin_dir, directory.path().join("wasm"));
    assert_eq!(settings.s3.endpoint, S3Endpoint::Url("https://s3.example.com".to_owned()));
    assert!(!settings.s3.path_style && settings.egress.plaintext);
    assert_eq!(settings.egress.allow.len(), 2);
    assert_eq!(settings.egress.resolve["wh.abc.us-east-1.redshift.amazonaws.com"].to_string(), "127.0.0.1");
    assert_eq!(settings.catalog, Some(Catalog::Directory(directory.path().join("catalog"))));
    assert_eq!(settings.secrets.dir, Some(directory.path().join("secrets")));
    let [user, signed] = settings.opensearch.credentials.as_slice() else { panic!("two logins") };
    assert_eq!(user.endpoint, "https://search.example.com:9200");
    let SearchAccess::Basic { username, password } = &user.access else { panic!("a user") };
    assert_eq!((username.as_str(), password.expose_secret()), ("writer", "from-a-file"));
    assert!(matches!(signed.access, SearchAccess::Sigv4));
    assert_eq!([&*user.account_id, &*signed.account_id], ["123456789012", "555555555555"]);
    let Authentication::Sigv4(credentials) = settings.api.authentication else { panic!("sigv4") };
    assert_eq!(credentials[0].account_id, "210987654321");
    assert_eq!(credentials[1].account_id, "123456789012");
    assert_eq!(credentials[1].secret_access_key.expose_secret(), "from-a-file");
}

#[test]
fn each_problem_has_a_path_a_line_and_a_hint() {
    let address = "give an IP address and a port, such as 127.0.0.1:4573";
    refused(
        "account_id = \"12\"",
        "account_id",
        Some(1),
        "\"12\" is not an account id",
        "give twelve digits, in quotes",
    );
    refused("account_id = 12", "account_id", Some(1), "must be a text, not a number", "give it a text");
    refused(
        "region = \"US East\"",
        "region",
        Some(1),
        "\"US East\" is not a region",
        "write a region such as us-east-1",
    );
    refused("data_dir = \"\"", "data_dir", Some(1), "an empty path", "name a file or directory, or leave the key out");
    refused("regio = 1", "regio", Some(1), "unknown key", "known keys there: data_dir, plugin_dir, region, account_id");
    refused("[admin]\nport = 1", "admin.port", Some(2), "unknown key", "known keys there: listen");
    refused("admin = 1", "admin", Some(1), "must be a table", "write [admin] and its keys below");
    let tables = "known tables: admin, api, catalog, egress, journal, log, memory, opensearch, partitions, plugins, redshift, s3, secrets, shutdown";
    refused("[kafka]", "kafka", Some(1), "unknown table", tables);
    refused("[kafka]\na = 1\nb = 2", "kafka", Some(1), "unknown table", tables);
    refused(
        "[api]\nlisten = \"localhost\"",
        "api.listen",
        Some(2),
        "\"localhost\" is not an address to listen on",
        address,
    );
    refused(
        "[api]\nauthentication = \"basic\"",
        "api.authentication",
        Some(2),
        "\"basic\" is not a way to authenticate",
        r#"write "sigv4" or "none""#,
    );
    refused(
        "[api]\nlisten = \"0.0.0.0:4573\"\nauthentication = \"none\"",
        "api.authentication",
        Some(3),
        "\"none\" would let anybody who reaches 0.0.0.0:4573 write and delete",
        r#"listen on 127.0.0.1, or write authentication = "sigv4" and add [[api.credentials]]"#,
    );
    refused(
        "[admin]\nlisten = \"127.0.0.1:4573\"",
        "admin.listen",
        Some(2),
        "127.0.0.1:4573 is taken by api.listen",
        "choose another port",
    );
    refused(
        "[s3]\nlisten = \"0.0.0.0:9000\"",
        "s3.listen",
        Some(2),
        "0.0.0.0:9000 is not on loopback, and the embedded server is for this machine only",
        "listen on 127.0.0.1",
    );
    let endpoint = r#"write "embedded", a URL such as "http://127.0.0.1:9000", or leave it out for AWS"#;
    refused("[s3]\nendpoint = \"minio\"", "s3.endpoint", Some(2), "\"minio\" is not a URL", endpoint);
    refused(
        "[s3]\nendpoint = \"http://a:b@h\"",
        "s3.endpoint",
        Some(2),
        "a URL with a user name or password",
        endpoint,
    );
    refused(
        "[s3]\npath_style = 1",
        "s3.path_style",
        Some(2),
        "must be true or false, not a number",
        "give it true or false",
    );
    refused(
        "[s3]\npart_bytes = 1",
        "s3.part_bytes",
        Some(2),
        "1 is out of range",
        "choose from 5242880 (5 MiB) to 536870912 (512 MiB)",
    );
    refused(
        "[shutdown]\ngrace_seconds = -1",
        "shutdown.grace_seconds",
        Some(2),
        "-1 is out of range",
        "choose from 0 to 3600",
    );
    refused(
        "[shutdown]\ngrace_seconds = 1.5",
        "shutdown.grace_seconds",
        Some(2),
        "must be a number, not a fraction",
        "give it a number",
    );
    refused(
        "[journal]\ncapacity_bytes = 268435456\nsegment_bytes = 134217728",
        "journal.segment_bytes",
        Some(3),
        "segments of 134217728 bytes leave fewer than four in 268435456 bytes",
        "make segments smaller or journal.capacity_bytes larger",
    );
    refused(
        "[egress]\nallow = [\"10.0.0.1/8\", \"10.0.0.0/8\"]",
        "egress.allow[0]",
        Some(2),
        "\"10.0.0.1/8\": address bits are set after the prefix",
        "write a range such as 10.0.0.0/8",
    );
    refused("[egress]\nallow = [1]", "egress.allow[0]", Some(2), "must be a text, not a number", "give it a text");
    refused(
        "[egress]\nallow = \"all\"",
        "egress.allow",
        Some(2),
        "must be a list of texts, not a text",
        "give it a list of texts",
    );
    refused("[egress]\nresolve = 1", "egress.resolve", Some(2), "must be a table, not a number", "give it a table");
    refused(
        "[egress.resolve]\n\"a.b\" = \"c\"",
        "egress.resolve.a.b",
        Some(2),
        "\"c\" is not an IP address",
        r#"write "NAME" = "127.0.0.1""#,
    );
    refused(
        "[egress]\nca_file = \"absent.pem\"",
        "egress.ca_file",
        Some(2),
        "cannot read /etc/hydrant/absent.pem: No such file or directory (os error 2)",
        "name a readable PEM file",
    );
    refused(
        "[catalog]\ndir = \"c\"\nendpoint = \"http://127.0.0.1:1\"",
        "catalog.endpoint",
        Some(3),
        "a second place for the same tables",
        "keep catalog.dir or catalog.endpoint",
    );
    refused(
        "[partitions]\noverflow = \"drop\"",
        "partitions.overflow",
        Some(2),
        "\"drop\" is nothing to do with a partition too many",
        r#"write "refuse" or "cut""#,
    );
    refused("[log]\nformat = \"xml\"", "log.format", Some(2), "\"xml\" is not a format", r#"write "human" or "json""#);
    refused(
        "[log]\nlevel = \"loud\"",
        "log.level",
        Some(2),
        "\"loud\" is not a level",
        r#"write "error", "warn", "info", "debug" or "trace""#,
    );
}

#[test]
fn plugins_are_granted_what_there_is_to_grant() {
    let granted = format!("{KEY}[plugins.grants]\nclean = [\"environment\"]\nother = []\n");
    let loaded = read(&granted).expect("settings");
    let grants = &loaded.settings.plugins.grants;
    assert_eq!(grants["clean"], BTreeSet::from([Capability::Environment]));
    assert!(grants["other"].is_empty());
    assert!(
        loaded.report.to_string().lines().map(collapse).any(|line| line == "plugins.grants.clean environment line 5")
    );
    let most: String = (0..1_000).map(|at| format!("p{at} = []\n")).collect();
    assert!(read(&format!("{KEY}[plugins.grants]\n{most}")).is_ok());

    let table = "[plugins.grants]\n";
    refused(
        &format!("{table}clean = [\"network\"]"),
        "plugins.grants.clean[0]",
        Some(2),
        "\"network\" is no capability",
        r#"the only one is "environment": clocks, chance, files and network cannot be granted, because a replay must give the same answer"#,
    );
    let list = "must be a list of texts, not a text";
    refused(
        &format!("{table}clean = \"environment\""),
        "plugins.grants.clean",
        Some(2),
        list,
        "give it a list of texts",
    );
    let twice = format!("{table}clean = [\"environment\", \"environment\"]");
    refused(&twice, "plugins.grants.clean", Some(2), "a capability is there twice", "keep one of them");
    let name = "use 1 to 64 of a-z, A-Z, 0-9, - and _";
    let dotted = "\"clean.more\" is no plugin name";
    refused(&format!("{table}clean.more = []"), "plugins.grants.clean.more", Some(2), dotted, name);
    refused("[plugins]\ngrants = 1", "plugins.grants", Some(2), "must be a table, not a number", "give it a table");
    let what = "1001 plugins, more than the 1000 that a folder may hold";
    refused(&format!("{table}{most}last = []"), "plugins.grants", None, what, "remove those that are not there");
    for setting in ["\"a=b\" = \"c\"", "a = \"\\u0000\"", "\"\" = \"\""] {
        let text = |name: &str| format!("{KEY}{table}{name} = [\"environment\"]\n[plugins.settings.p]\n{setting}");
        assert!(read(&text("q")).is_ok(), "{setting}");
        let told = problems(&text("p"));
        assert!(told.len() == 1 && told[0].what.starts_with("no environment can hold it"), "{told:?}");
    }
}

#[test]
fn each_problem_of_a_search_login_is_told() {
    #[track_caller]
    fn check(login: &str, path: &str, what: &str) {
        let found = problems(&format!("{KEY}{login}"));
        let told: Vec<(&str, &str)> =
            found.iter().map(|problem| (problem.path.as_str(), problem.what.as_str())).collect();
        assert_eq!(told, [(path, what)], "{login}");
        assert!(!found[0].hint.is_empty());
    }
    let table = "[[opensearch.credentials]]\n";
    let endpoint = "endpoint = \"https://x:9200\"\n";
    let user = "username = \"writer\"\npassword_env = \"HYDRANT_SECRET\"\n";
    let at = |name: &str| format!("opensearch.credentials[0].{name}");
    check(&format!("{table}{user}"), &at("endpoint"), "missing");
    check(&format!("{table}{user}endpoint = 1"), &at("endpoint"), "must be a text, not a number");
    check(&format!("{table}{user}endpoint = \"x\""), &at("endpoint"), "\"x\" is not a URL");
    check(&format!("{table}{endpoint}password_env = \"HYDRANT_SECRET\""), &at("username"), "missing");
    check(&format!("{table}{endpoint}username = \"writer\""), &at("password_env"), "missing");
    let colon = "username = \"a:b\"\npassword_env = \"HYDRANT_SECRET\"\n";
    check(&format!("{table}{endpoint}{colon}"), &at("username"), "not a user name");
    let way = "authentication = \"magic\"\n";
    check(&format!("{table}{endpoint}{user}{way}"), &at("authentication"), "\"magic\" is not a way to authenticate");
    let signed = "authentication = \"sigv4\"\nusername = \"writer\"\n";
    check(&format!("{table}{endpoint}{signed}"), &at("username"), "unknown key");
    let account = "account_id = \"five\"\n";
    check(&format!("{table}{endpoint}{user}{account}"), &at("account_id"), "\"five\" is not an account id");
    let twice = format!("{table}{endpoint}{user}{table}{endpoint}{user}");
    check(&twice, "opensearch.credentials", "https://x:9200 is there twice");
}

#[test]
fn each_credential_problem_is_told() {
    #[track_caller]
    fn check(credential: &str, path: &str, what: &str) {
        let found = problems(&format!("[[api.credentials]]\n{credential}"));
        let told: Vec<(&str, &str)> =
            found.iter().map(|problem| (problem.path.as_str(), problem.what.as_str())).collect();
        assert_eq!(told, [(path, what)], "{credential}");
        assert!(!found[0].hint.is_empty());
    }
    let id = "access_key_id = \"AKIA\"\n";
    let secret = "secret_access_key_env = \"HYDRANT_SECRET\"\n";
    check(secret, "api.credentials[0].access_key_id", "missing");
    check(&format!("access_key_id = \"a b\"\n{secret}"), "api.credentials[0].access_key_id", "not an access key id");
    check(&format!("access_key_id = 1\n{secret}"), "api.credentials[0].access_key_id", "must be a text, not a number");
    check(id, "api.credentials[0].secret_access_key_env", "missing");
    check(
        &format!("{id}{secret}secret_access_key_file = \"s\""),
        "api.credentials[0].secret_access_key_file",
        "a second place for the same secret",
    );
    check(
        &format!("{id}secret_access_key_env = \"HYDRANT_ABSENT\""),
        "api.credentials[0].secret_access_key_env",
        "environment variable HYDRANT_ABSENT is not set",
    );
    check(
        &format!("{id}secret_access_key_env = \"HYDRANT_EMPTY\""),
        "api.credentials[0].secret_access_key_env",
        "environment variable HYDRANT_EMPTY is empty",
    );
    check(
        &format!("{id}secret_access_key_env = \"HYDRANT_TWO\""),
        "api.credentials[0].secret_access_key_env",
        "environment variable HYDRANT_TWO holds several lines",
    );
    check(
        &format!("{id}secret_access_key_file = \"absent\""),
        "api.credentials[0].secret_access_key_file",
        "cannot read /etc/hydrant/absent: No such file or directory (os error 2)",
    );
    check(&format!("{id}{secret}account_id = \"1\""), "api.credentials[0].account_id", "\"1\" is not an account id");
    check(&format!("{id}{secret}secret = \"{SECRET}\""), "api.credentials[0].secret", "unknown key");
    check(&format!("{id}{secret}[[api.credentials]]\n{id}{secret}"), "api.credentials", "AKIA is there twice");
}

#[test]
fn sigv4_without_credentials_is_refused() {
    let found = problems("");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, "api.authentication");
    assert_eq!(found[0].what, "\"sigv4\" without credentials would refuse everybody");
    let found = problems("[api]\ncredentials = 3");
    assert_eq!(found[0].what, "must be tables, written [[api.credentials]], not a number");
    assert_eq!(found.len(), 1);
}

#[test]
fn all_problems_are_reported_at_once() {
    let error = read("region = 1\nnonsense = 2\n[api]\nlisten = \"x\"\n[log]\nlevel = \"y\"\n").expect_err("problems");
    let expected = "\
/etc/hydrant/hydrant.toml has 5 problems
  api.authentication: \"sigv4\" without credentials would refuse everybody
    hint: add [[api.credentials]] with access_key_id and secret_access_key_env, or on loopback write authentication = \"none\"
  region (line 1): must be a text, not a number
    hint: give it a text
  nonsense (line 2): unknown key
    hint: known keys there: data_dir, plugin_dir, region, account_id
  api.listen (line 4): \"x\" is not an address to listen on
    hint: give an IP address and a port, such as 127.0.0.1:4573
  log.level (line 6): \"y\" is not a level
    hint: write \"error\", \"warn\", \"info\", \"debug\" or \"trace\"";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn text_that_is_not_toml_is_told_by_line() {
    let found = problems("region = \"a\"\nregion = \"b\"\nx = \n");
    assert!(found.iter().all(|problem| problem.path.is_empty() && problem.line.is_some()));
    assert_eq!(found.iter().filter_map(|problem| problem.line).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let error = load(Path::new("/nowhere/hydrant.toml"), &environment()).expect_err("no file");
    assert_eq!(error.to_string(), "cannot read configuration /nowhere/hydrant.toml");
}

#[test]
fn a_huge_file_is_not_read() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    file.as_file().set_len(2 << 20).expect("a sparse file");
    assert!(matches!(load(file.path(), &environment()), Err(ConfigError::Unreadable { .. })));
}

/// Row X12: no output of this module holds a secret, however it is printed.
#[test]
fn x12_secrets_are_never_shown() {
    let loaded = read(KEY).expect("settings");
    let json = serde_json::to_string(&loaded.report).expect("JSON");
    let all = format!("{loaded:?} {loaded:#?} {} {json}", loaded.report);
    assert!(!all.contains(SECRET));
    assert!(all.contains("(secret from environment variable HYDRANT_SECRET)"));
    // A secret in the place of a name is not repeated either.
    let misplaced = format!("[[api.credentials]]\naccess_key_id = \"AKIA {SECRET}\"\nsecret_access_key_env = \"X\"");
    assert!(!format!("{:?}", problems(&misplaced)).contains(SECRET));
}

#[test]
fn check_shows_every_key_once_with_its_reason() {
    let loaded =
        read(&format!("[api]\nauthentication = \"none\"\n{KEY}[s3]\nendpoint = \"embedded\"")).expect("settings");
    for key in keys::ALL.iter().filter(|key| key.path != "api.credentials") {
        let shown = loaded.report.values.iter().filter(|value| value.key == key.path).count();
        assert_eq!(shown, 1, "{}", key.path);
    }
    let expected = "\
/etc/hydrant/hydrant.toml is good
relative paths start at /etc/hydrant

data_dir                                  /etc/hydrant/data                              default: beside the configuration file
plugin_dir                                /etc/hydrant/plugins                           default: beside the configuration file
region                                    us-east-1                                      default: the region most tools assume
account_id                                000000000000                                   default: the account local AWS tools assume
api.listen                                127.0.0.1:4573                                 default: reachable from this machine only, on the port local Firehose tools use
api.authentication                        none                                           line 2
api.credentials[0].access_key_id          AKIAHYDRANT                                    line 4
api.credentials[0].secret_access_key_env  (secret from environment variable HYDRANT_SECRET)  line 5
";
    let shown = loaded.report.to_string();
    let head: Vec<String> = shown.lines().take(11).map(collapse).collect();
    assert_eq!(head, expected.lines().map(collapse).collect::<Vec<_>>());
    assert!(shown.contains("536870912 (512 MiB)"), "{shown}");
}

/// One space for every run of spaces: column widths are not what the test is about.
fn collapse(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn check_speaks_json() {
    let loaded = read(KEY).expect("settings");
    let json = serde_json::to_value(&loaded.report).expect("JSON");
    assert_eq!(json["file"], "/etc/hydrant/hydrant.toml");
    assert_eq!(json["values"][0]["key"], "data_dir");
    assert_eq!(json["values"][0]["reason"]["default"], "beside the configuration file");
}
