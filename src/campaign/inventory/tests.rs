#![allow(clippy::unwrap_used)]

use super::*;
use std::env::VarError;

fn no_env(_: &str) -> Result<String, VarError> {
    Err(VarError::NotPresent)
}

fn parse(text: impl AsRef<[u8]>, format: Format) -> Result<Inventory, String> {
    Inventory::parse_with(text.as_ref(), format, Path::new("accounts"), &no_env)
        .map_err(|error| error.to_string())
}

fn toml(text: &str) -> Result<Inventory, String> {
    parse(text, Format::Toml)
}

fn csv(text: impl AsRef<[u8]>) -> Result<Inventory, String> {
    parse(text, Format::Csv)
}

const ALICE: &str = r#"
[[account]]
name = "alice"
aor = "sip:alice@lab.example"
auth_user = "al"
password = " p,w "
registrar = "sip:127.0.0.1:5060;transport=tcp"
outbound_proxy = "sip:127.0.0.1:5070;lr"
transport = "tcp"

[[account]]
aor = "sip:bob@lab.example"
password = ""
"#;

#[track_caller]
fn is_alice_and_bob(inventory: &Inventory) {
    let [alice, bob] = inventory.entries.as_slice() else { panic!("{inventory:?}") };
    assert_eq!((alice.name.as_str(), alice.aor.as_str()), ("alice", "sip:alice@lab.example"));
    let account = alice.account.as_ref().unwrap();
    assert_eq!((account.name(), account.credentials().username()), ("alice", "al"));
    assert_eq!(account.credentials().password(), " p,w ");
    assert_eq!(account.routes().len(), 1);
    assert_eq!(
        (bob.name.as_str(), bob.account.as_ref().unwrap().name()),
        ("sip:bob@lab.example", "sip:bob@lab.example")
    );
}

#[test]
fn toml_gives_every_field_and_its_default() {
    let inventory = toml(ALICE).unwrap();
    is_alice_and_bob(&inventory);
    assert_eq!(inventory.entries.iter().map(|entry| entry.line).collect::<Vec<_>>(), [2, 11]);
}

#[test]
fn csv_gives_the_same_as_toml() {
    let text = "aor,name,transport,auth_user,password,registrar,outbound_proxy\n\
        sip:alice@lab.example,alice,TCP,al,\" p,w \",sip:127.0.0.1:5060;transport=tcp,sip:127.0.0.1:5070;lr\n\
        \n\
        sip:bob@lab.example,,,,x,,\n";
    let inventory = csv(text).unwrap();
    is_alice_and_bob(&inventory);
    assert_eq!(inventory.entries[1].line, 4);
}

#[test]
fn a_byte_order_mark_crlf_and_semicolons_are_taken() {
    let windows = format!("\u{feff}{}", ALICE.replace('\n', "\r\n"));
    is_alice_and_bob(&toml(&windows).unwrap());
    let inventory = csv("\u{feff}name;aor;password\r\nalice;sip:alice@lab.example;x\r\n\r\nbob;sip:bob@lab.example;\"a;b\"\r\n").unwrap();
    assert_eq!(inventory.entries[1].account.as_ref().unwrap().credentials().password(), "a;b");
    assert_eq!(inventory.entries.iter().map(|entry| entry.line).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn all_that_is_wrong_in_a_toml_file_is_told_together_with_its_place() {
    let error = toml(
        r#"[[account]]
name = "alice"
aor = "sip:alice@lab.example"
pasword = "secret"
transport = "ucp"

[[account]]
name = "alice"
aor = "sip:@lab.example"
password = 1234567

[[account]]
name = "carol"
password = "secret"

[[account]]
name = "dave"
aor = "sip:dave@lab.example"
password = "secret"
password_env = "DAVE"

[[acount]]
name = "erin"
"#,
    )
    .unwrap_err();
    let places: Vec<&str> = error.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "accounts:4:1:",
            "accounts:5:13:",
            "accounts:8:8:",
            "accounts:9:7:",
            "accounts:10:12:",
            "accounts:12:",
            "accounts:19:12:",
            "accounts:22:3:"
        ],
        "{error}"
    );
    for text in [
        "unknown key; did you mean `password`?",
        "this transport is not known; write `udp` or `tcp`",
        "the name is taken by the account of line 1",
        "`aor` cannot be used: ",
        "`password` is a number; write it in quotes",
        "`aor` is missing",
        "keep one",
        "unknown key; accounts are tables",
    ] {
        assert!(error.contains(text), "{text} is not in\n{error}");
    }
    assert!(!error.contains("secret") && !error.contains("1234567"), "{error}");
}

#[test]
fn a_broken_line_of_toml_hides_neither_the_other_accounts_errors_nor_shows_its_password() {
    let error =
        toml("[[account]]\naor = \"sip:a@lab.example\"\npassword = s3cret\n[[account]]\nname = \"b\"\n")
            .unwrap_err();
    assert!(error.contains("accounts:3:12: not valid TOML: "), "{error}");
    assert!(error.contains("accounts:4: `aor` is missing"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn all_that_is_wrong_in_a_csv_file_is_told_together_with_its_line() {
    let error = csv(b"name,aor,auth-user,password,name\r\n\
        alice,sip:alice@lab.example,,secret,\r\n\
        bob,sip:bob@lab.example,secret\r\n\
        carol,,,secret,\r\n\
        dave,sip:d\xe9@lab.example,,secret,\r\n\
        erin,sip:erin@lab.example,,\"secret,\r\n\
        frank,sip:frank@lab.example,,secret,\r\n")
    .unwrap_err();
    let wanted = [
        "accounts:1: the name of column 3 is unknown; did you mean `auth_user`?",
        "accounts:1: the column `name` is given twice; keep one",
        "accounts:3: 3 values for 5 columns; put a value that holds a separator in quotes",
        "accounts:4: `aor` is missing; say whom to register, e.g. sip:alice@example.com",
        "accounts:5: aor is not UTF-8; save the file as UTF-8",
        "accounts:6: 4 values for 5 columns; put a value that holds a separator in quotes",
    ];
    // The column that stands twice wins over the first, so that `carol` is told by an empty name.
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), wanted.len(), "{error}");
    for (line, wanted) in lines.iter().zip(wanted) {
        assert_eq!(line.replace("account `carol`: ", ""), wanted.replace("account `carol`: ", ""), "{error}");
    }
}

#[test]
fn a_quote_that_is_not_closed_is_found_where_it_begins() {
    let error = csv("name,aor,password\nalice,sip:alice@lab.example,\"secret\nbob,sip:bob@lab.example,x\n")
        .unwrap_err();
    assert_eq!(error, "accounts:2: password runs over more than one line; a closing quote is missing");
}

#[test]
fn twenty_problems_are_told_and_the_rest_is_counted() {
    let mut text = String::from("name,aor,password\n");
    for i in 0..500 {
        text += &format!("n{i},,x\n");
    }
    let error = csv(text).unwrap_err();
    assert_eq!(error.lines().count(), MAX_PROBLEMS + 1);
    assert!(error.starts_with("accounts:2: ") && error.ends_with("accounts: 480 more problems"), "{error}");
}

#[test]
fn an_empty_file_is_told_how_to_begin() {
    assert!(toml("# nothing\n").unwrap_err().contains("each account begins with a line `[[account]]`"));
    assert!(csv("name,aor\n").unwrap_err().contains("no account"));
    assert!(
        toml("[account]\naor = \"sip:a@b\"\n").unwrap_err().contains("write `[[account]]` with two brackets")
    );
}

#[test]
fn an_account_without_its_password_does_not_keep_the_others() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("erin.txt"), "erins\r\nsecond line\n").unwrap();
    std::fs::write(folder.path().join("long.txt"), "x".repeat(5_000)).unwrap();
    let text = "name,aor,password,password_env,password_file\n\
        alice,sip:alice@lab.example,secret,,\n\
        bob,sip:bob@lab.example,,BOB,\n\
        carol,sip:carol@lab.example,,CAROL,\n\
        dave,sip:dave@lab.example,,,nowhere.txt\n\
        erin,sip:erin@lab.example,,,erin.txt\n\
        frank,sip:frank@lab.example,,,\n\
        grace,sip:grace@lab.example,,,long.txt\n\
        heidi,sip:heidi@lab.example,,HEIDI,\n\
        ivan,sip:ivan@lab.example,,,empty.txt\n";
    std::fs::write(folder.path().join("empty.txt"), "\nsecret\n").unwrap();
    let path = folder.path().join("accounts.csv");
    std::fs::write(&path, text).unwrap();
    let env = |name: &str| match name {
        "BOB" => Ok("bobs".to_owned()),
        "HEIDI" => Ok(String::new()),
        _ => Err(VarError::NotPresent),
    };
    let inventory = Inventory::parse_with(text.as_bytes(), Format::Csv, &path, &env).unwrap();
    let passwords: Vec<Result<&str, &str>> = inventory
        .entries
        .iter()
        .map(|entry| {
            entry
                .account
                .as_ref()
                .map(|account| account.credentials().password())
                .map_err(|no| no.why.as_str())
        })
        .collect();
    assert_eq!(passwords[0], Ok("secret"));
    assert_eq!(passwords[1], Ok("bobs"));
    assert!(passwords[2].unwrap_err().ends_with("(password_env), is not set"));
    assert!(passwords[3].unwrap_err().contains("(password_file) cannot be used: No such file"));
    assert_eq!(passwords[4], Ok("erins"));
    assert_eq!(passwords[5], Err("no password is given"));
    assert!(passwords[6].unwrap_err().contains("cannot be used: it has more than 4096 bytes"));
    assert_eq!(passwords[7], Err("the password is empty where line 9 takes it from"));
    assert_eq!(passwords[8], Err("the password is empty where line 10 takes it from"));
    // The same by path, where BOB is not set in our environment.
    assert_eq!(Inventory::from_path(&path).unwrap().entries.len(), 9);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Inventory::from_path("/nowhere/accounts.toml").unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/accounts.toml: cannot be read: No such file"), "{error}");
}

#[test]
fn accounts_are_selected_by_name() {
    let names =
        |inventory: Inventory| inventory.entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>();
    let inventory = toml(ALICE).unwrap();
    assert_eq!(names(inventory.clone().select(&["sip:bob@lab.example"]).unwrap()), ["sip:bob@lab.example"]);
    assert_eq!(names(inventory.clone().select::<&str>(&[]).unwrap()).len(), 2);
    let error = inventory.select(&["alcie"]).unwrap_err().to_string();
    assert_eq!(error, "account \"alcie\": no account of the file has this name; did you mean \"alice\"?");
}

#[test]
fn seventy_thousand_accounts_are_read_in_both_forms() {
    let mut csv_text = String::from("name,aor,password\n");
    let mut toml_text = String::new();
    for i in 0..70_000 {
        csv_text += &format!("n{i},sip:{i}@lab.example,pw{i}\n");
        toml_text +=
            &format!("[[account]]\nname = \"n{i}\"\naor = \"sip:{i}@lab.example\"\npassword = \"pw{i}\"\n");
    }
    for inventory in [csv(csv_text).unwrap(), toml(&toml_text).unwrap()] {
        assert_eq!(inventory.entries.len(), 70_000);
        assert_eq!(inventory.entries[69_999].name, "n69999");
    }
}

#[test]
fn debug_output_holds_no_password() {
    let shown = format!("{:?}", toml(&ALICE.replace(" p,w ", "topsecret")).unwrap());
    assert!(shown.contains("alice") && !shown.contains("topsecret"), "{shown}");
}

#[test]
fn what_else_a_file_says_of_an_account_is_kept() {
    let inventory = csv(
        "site,name,aor,password,wave\nKiel,alice,sip:alice@lab.example,x,3\n,bob,sip:bob@lab.example,x,\n",
    )
    .unwrap();
    assert_eq!(inventory.columns, ["site", "wave"]);
    let [alice, bob] = inventory.entries.as_slice() else { panic!("{inventory:?}") };
    assert_eq!((alice.get("site"), alice.get("wave"), alice.get("name")), (Some("Kiel"), Some("3"), None));
    assert!(bob.more.is_empty());
    let two = inventory.clone().select(&["bob", "alice"]).unwrap();
    assert_eq!((two.entries[1].get("site"), two.columns.len()), (Some("Kiel"), 2));

    let inventory = toml(
        "[[account]]\naor = \"sip:a@lab.example\"\npassword = \"x\"\nsite = \"Kiel\"\nwave = 3\nvip = true\nmoved = 2026-01-31\n",
    )
    .unwrap();
    let entry = &inventory.entries[0];
    let kept: Vec<Option<&str>> = ["site", "wave", "vip", "moved"].map(|name| entry.get(name)).to_vec();
    assert_eq!(kept, [Some("Kiel"), Some("3"), Some("true"), Some("2026-01-31")]);
    let error =
        toml("[[account]]\naor = \"sip:a@lab.example\"\npassword = \"x\"\nsites = [1]\n").unwrap_err();
    assert!(error.contains("accounts:4:1: this value is an array"), "{error}");
}

#[test]
fn a_first_line_that_names_no_columns_is_not_repeated() {
    let error =
        csv("alice,sip:alice@lab.example,s3cret,,\nbob,sip:bob@lab.example,t0psecret,,\n").unwrap_err();
    assert!(
        error.starts_with("accounts:1: the first line has to name the columns, `aor` among them"),
        "{error}"
    );
    assert!(error.lines().count() == 1 && !error.contains("s3cret") && !error.contains("alice"), "{error}");
}

#[test]
fn an_account_is_found_by_its_name_or_by_its_address_where_it_has_it_alone() {
    let inventory =
        csv("name,aor,password\nalice,sip:alice@lab.example,x\ndesk,sip:shared@lab.example,x\napp,sip:shared@lab.example,x\n").unwrap();
    for name in ["alice", "sip:alice@lab.example", "alice@lab.example"] {
        assert_eq!(inventory.find(name).unwrap().name, "alice", "{name}");
    }
    let error = inventory.find("sip:shared@lab.example").unwrap_err().to_string();
    assert!(error.contains("\"desk\" and \"app\"; give a name"), "{error}");
    assert!(inventory.find("alise").unwrap_err().to_string().contains("did you mean \"alice\"?"));
    let error =
        inventory.clone().select(&["alice", "desk", "sip:alice@lab.example"]).unwrap_err().to_string();
    assert!(error.contains("given twice"), "{error}");
}

#[test]
fn what_stands_in_a_wrong_place_is_named_by_its_place_alone() {
    // No line with names, columns swapped, a value for a key: each shows a password where something else is due.
    for error in [
        csv(b"alice,sip:alice@lab.example,S3CRET-1,x\n").unwrap_err(),
        csv(b"name,password,aor\nalice,sip:alice@lab.example,S3CRET-1\n").unwrap_err(),
        csv(b"transport,aor\nS3CRET-1,sip:a@lab.example\n").unwrap_err(),
        csv(b"name,aor\nS3CRET-1,sip:a@lab.example\nS3CRET-1,sip:b@lab.example\n").unwrap_err(),
        csv(b"name,aor\nS3CRET-1,\n").unwrap_err(),
        toml("[[account]]\nS3CRET-1 = \"sip:a@lab.example\"\n").unwrap_err(),
        toml("S3CRET-1 = \"sip:a@lab.example\"\n").unwrap_err(),
        toml("[[account]]\naor = \"S3CRET-1@\"\n").unwrap_err(),
    ] {
        assert!(error.contains("accounts:") && !error.contains("S3CRET"), "{error}");
    }
}

#[test]
fn a_text_over_several_lines_that_looks_like_a_table_is_a_text() {
    let text = "[[account]]\naor = \"sip:a@lab.example\"\npassword = \"x\"\nnote = \"\"\"\n[[account]]\n\"\"\"\n\n[[ account ]]\naor = \"sip:b@lab.example\"\npassword = \"y\"\n";
    let inventory = toml(text).unwrap();
    assert_eq!(inventory.entries.iter().map(|entry| entry.line).collect::<Vec<_>>(), [1, 8]);
    assert_eq!(inventory.entries[0].get("note"), Some("[[account]]\n"));
    // Without it each table is read by itself, and lines count on.
    let tables = toml(
        "# none\n[[account]]\naor = \"sip:a@lab.example\"\npassword = \"x\"\n  [[ account ]]\naor = 1\n",
    )
    .unwrap_err();
    assert_eq!(
        tables,
        "accounts:5: `aor` is missing; say whom to register, e.g. sip:alice@example.com\naccounts:6:7: `aor` is a number; write it in quotes"
    );
}

#[test]
fn long_values_and_many_columns_are_read_whole() {
    let (long, many) = ("x".repeat(5_000), ",x".repeat(200));
    let names: String = (0..200).map(|number| format!(",c{number}")).collect();
    let inventory = csv(format!(
        "aor,password{names}\nsip:a@lab.example,{long}{many}\nsip:b@lab.example,\"q\"\"q\"{many}"
    ))
    .unwrap();
    let passwords =
        inventory.entries.iter().map(|entry| entry.account.as_ref().unwrap().credentials().password());
    assert_eq!(passwords.collect::<Vec<_>>(), [long.as_str(), "q\"q"]);
    assert_eq!(inventory.columns.len(), 200);
}

#[test]
#[cfg(unix)]
fn passwords_that_everybody_can_read_are_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    let (accounts, secret) = (folder.path().join("a.csv"), folder.path().join("pw.txt"));
    std::fs::write(&secret, "x\n").unwrap();
    let warnings = |text: &str| {
        std::fs::write(&accounts, text).unwrap();
        Inventory::from_path(&accounts).unwrap().warnings
    };
    let (plain, by_file) = (
        "aor,password\nsip:a@lab.example,x\n",
        "aor,password_file\nsip:a@lab.example,pw.txt\nsip:b@lab.example,pw.txt\n",
    );
    mode(folder.path(), 0o755);
    std::fs::write(&accounts, "").unwrap();
    mode(&accounts, 0o644);
    mode(&secret, 0o644);
    let told = warnings(plain);
    assert!(
        told.len() == 1 && told[0].contains("a.csv holds passwords and can be read by every user"),
        "{told:?}"
    );
    let told = warnings(by_file);
    assert!(told.len() == 1 && told[0].contains("pw.txt holds passwords"), "{told:?}");
    assert!(warnings("aor,password_env\nsip:a@lab.example,NO\n").is_empty(), "no password stands in it");
    mode(&secret, 0o640);
    assert!(warnings(by_file).is_empty());
    mode(&accounts, 0o600);
    assert!(warnings(plain).is_empty());
    // Nobody else comes to it.
    mode(&accounts, 0o644);
    mode(folder.path(), 0o700);
    assert!(warnings(plain).is_empty());
}

#[test]
fn a_word_in_the_column_of_a_server_is_named_by_its_place_and_asked_of_nobody() {
    for (column, value, taken) in [
        ("registrar", "Zq9kVt7pLwXy42mN", false),
        ("outbound_proxy", "sip:Zq9kVt7pLwXy42mN", false),
        ("registrar", "sip:alice@Zq9kVt7pLwXy42mN;transport=tcp", false),
        ("registrar", "pbx:5060", true),
        ("registrar", "sip:pbx.example.com", true),
        ("outbound_proxy", "[2001:db8::1]", true),
        ("registrar", "localhost", true),
    ] {
        let text = format!("name,aor,{column},password\nalice,sip:alice@pbx.example.com,{value},x\n");
        let read = Inventory::parse(text.as_bytes(), Format::Csv, "accounts.csv");
        let said = read.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert_eq!(read.is_ok(), taken, "{value}: {said}");
        assert!(taken || said.contains("accounts.csv:2: column 3 (`") && !said.contains("Zq9k"), "{said}");
    }
}
