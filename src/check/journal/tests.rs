#![allow(clippy::unwrap_used)]

use super::*;
use crate::message::Builder;
use crate::syntax::{HeaderName, Method};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("ringback-journal-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }
    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn binding(name: &str) -> Left {
    Left {
        account: name.to_owned(),
        aor: format!("sip:{name}@lab.example"),
        server: "192.0.2.1:5060".to_owned(),
        open: LeftOpen::Binding {
            contact: format!("sip:{name}@192.0.2.2:5060;rb=t%25 \u{fc}\n"),
            instance: Some("urn:uuid:1".to_owned()),
        },
        until: None,
    }
}

fn call(bye: bool) -> Left {
    let bye = bye.then(|| {
        Builder::request(Method::Bye, "sip:bob@192.0.2.3")
            .header(HeaderName::From, "<sip:alice@lab.example>;tag=a")
            .header(HeaderName::To, "<sip:bob@lab.example>;tag=b")
            .header(HeaderName::CallId, "c@x")
            .header(HeaderName::CSeq, "9 BYE")
            .build()
            .unwrap()
    });
    let cancel = bye.is_none().then(|| {
        let invite = Builder::request(Method::Invite, "sip:bob@lab.example")
            .header(HeaderName::Via, "SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKx;rport")
            .header(HeaderName::From, "<sip:alice@lab.example>;tag=a")
            .header(HeaderName::To, "<sip:bob@lab.example>")
            .header(HeaderName::CallId, "c@x")
            .header(HeaderName::CSeq, "9 INVITE")
            .header(HeaderName::Authorization, "Digest username=\"alice\"")
            .build();
        crate::transaction::cancel_of(&invite.unwrap()).unwrap()
    });
    Left { open: LeftOpen::Call { call_id: "c@x".to_owned(), bye, cancel }, ..binding("alice") }
}

/// The journal as a program leaves it that is killed: nothing is closed, and the lock is gone.
fn kill(journal: Journal) {
    drop(journal);
}

/// What is found once nobody holds a lock: a process that another test is starting holds ours too, until it has become its program.
fn abandoned(folder: &Folder) -> Abandoned {
    let mut tries = 0;
    loop {
        let found = Abandoned::in_folder(&folder.0).unwrap();
        if found.running == 0 {
            return found;
        }
        drop(found);
        tries += 1;
        assert!(tries < 1_000, "a journal of an ended program is locked");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn texts(file: &AbandonedFile) -> Vec<String> {
    file.left().map(|(_, left)| format!("{left:?}")).collect()
}

#[test]
fn what_a_killed_program_had_open_is_read_back_and_nothing_else() {
    let folder = Folder::new("killed");
    let journal = Journal::in_folder(&folder.0);
    let gone = journal.note(binding("gone"));
    journal.note(binding("alice"));
    let ringing = journal.note(call(false));
    journal.renote(ringing, call(true));
    journal.close(gone);
    assert_eq!(journal.open().len(), 2);
    kill(journal);
    let mut found = abandoned(&folder);
    assert_eq!((found.files.len(), found.running), (1, 0));
    let file = &mut found.files[0];
    assert_eq!(texts(file), [format!("{:?}", binding("alice")), format!("{:?}", call(true))]);
    // Half of it done, by somebody who is killed as well.
    file.done(2).unwrap();
    drop(found);
    let mut found = abandoned(&folder);
    assert_eq!(texts(&found.files[0]), [format!("{:?}", call(true))]);
    found.files[0].done(3).unwrap();
    assert!(folder.files().is_empty(), "the last one takes the file along: {:?}", folder.files());
}

#[test]
fn what_has_ended_by_itself_is_left_no_more() {
    let folder = Folder::new("over");
    let journal = Journal::in_folder(&folder.0);
    let now = SystemTime::UNIX_EPOCH
        + Duration::from_secs(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
    let until = |name: &str, until| Left { until: Some(until), ..binding(name) };
    // As it is granted, and refreshed.
    let id = journal.note(binding("alice"));
    journal.renote(id, until("alice", now - Duration::from_secs(1)));
    let live = until("bob", now + Duration::from_secs(300));
    journal.note(live.clone());
    kill(journal);
    let mut found = abandoned(&folder);
    assert_eq!(texts(&found.files[0]), [format!("{live:?}")]);
    found.files[0].done(2).unwrap();
    assert!(folder.files().is_empty(), "{:?}", folder.files());
    let journal = Journal::in_folder(&folder.0);
    journal.note(until("alice", now));
    kill(journal);
    assert!(abandoned(&folder).files.is_empty());
    assert!(folder.files().is_empty(), "{:?}", folder.files());
}

#[test]
fn a_program_that_lives_is_left_alone() {
    let folder = Folder::new("lives");
    let journal = Journal::in_folder(&folder.0);
    assert!(!folder.0.exists(), "nothing is created before there is something to note");
    let id = journal.note(binding("alice"));
    let found = Abandoned::in_folder(&folder.0).unwrap();
    assert_eq!((found.files.len(), found.running), (0, 1));
    journal.close(id);
    assert!(folder.files().is_empty());
    assert!(journal.open().is_empty());
}

#[test]
fn only_its_owner_can_read_it() {
    let folder = Folder::new("mode");
    let journal = Journal::in_folder(&folder.0);
    journal.note(binding("alice"));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.0), 0o700);
    let files = folder.files();
    assert_eq!(files.iter().map(|file| mode(file)).collect::<Vec<_>>(), [0o600], "{files:?}");
}

#[test]
fn a_line_that_was_cut_by_the_end_is_nothing_and_foreign_lines_keep_the_file() {
    let folder = Folder::new("cut");
    std::fs::create_dir_all(&folder.0).unwrap();
    let whole = line::open(1, &binding("alice"));
    let path = folder.0.join("1-0.open");
    std::fs::write(&path, format!("{whole}{}", &line::open(2, &binding("bob"))[..40])).unwrap();
    let mut found = abandoned(&folder);
    assert_eq!(texts(&found.files[0]), [format!("{:?}", binding("alice"))]);
    assert_eq!(found.files[0].unread(), 0);
    found.files[0].done(1).unwrap();
    assert!(!path.exists());
    std::fs::write(&path, format!("{whole}open 2 subscription to=x\nclosed 1\n")).unwrap();
    let found = abandoned(&folder);
    assert_eq!((texts(&found.files[0]).len(), found.files[0].unread()), (0, 1));
    assert!(path.exists());
}

#[test]
fn nothing_but_a_bare_bye_in_a_dialog_is_taken_from_a_file() {
    let Left { open: LeftOpen::Call { bye: Some(bye), .. }, .. } = call(true) else { unreachable!() };
    let text = String::from_utf8(bye.as_bytes().to_vec()).unwrap();
    let read = |text: &str| {
        let bytes: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        line::read(format!("open 1 call account=a aor=b server=c call-id=d bye={bytes}").as_bytes())
    };
    assert!(matches!(read(&text), Some(line::Line::Open(1, _))));
    for other in [
        text.replace("BYE", "INVITE"),
        text.replace(";tag=b", ""),
        text.replace("\r\n\r\n", "\r\nAuthorization: Digest username=\"a\"\r\n\r\n"),
        "BYE".to_owned(),
    ] {
        assert!(read(&other).is_none(), "{other}");
    }
}

#[test]
fn a_journal_does_not_grow_with_what_is_closed() {
    let folder = Folder::new("long");
    let journal = Journal::in_folder(&folder.0);
    let first = journal.note(binding("first"));
    for _ in 0..30_000 {
        let id = journal.note(binding("alice"));
        journal.close(id);
    }
    let files = folder.files();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let length = std::fs::metadata(file).unwrap().len();
    assert!(length < 2 * 1024 * 1024, "{length} bytes");
    kill(journal);
    let found = abandoned(&folder);
    assert_eq!(texts(&found.files[0]), [format!("{:?}", binding("first"))], "{first}");
}
