//! `ringback sim`: the embedded telephone network on loopback.

use crate::embedded;
use crate::exit::{Exit, Failure};
use crate::interrupt;
use crate::output::{say, tell};
use ringback::error::Error;
use ringback::media::digit::{Key, parse_digits};
use ringback::message::Transport;
use ringback::report::shown;
use ringback::sim::{Fault, FaultEntry, Ivr, Lab, User, pbx};
use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Run the embedded telephone network until Ctrl-C.
///
/// A registrar and a PBX that answer by UDP and TCP, with accounts that are healthy or have a fault of the failure catalogue. Accounts call
/// each other by name or number (201, 202, ... in their order), and numbers of the PBX: *43 is an echo, *60 an announcement, and there are
/// voice menus.
///
/// It is for labs. Beyond loopback its default accounts get random passwords, which are printed, and a warning says what others can do. One
/// address may have 256 connections open, and a connection has 10 s for its first whole message; an INVITE without credentials is answered
/// once; a call for which there are no ports is refused with 503.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Where it answers; with 127.0.0.1, port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5060", value_parser = address)]
    bind: SocketAddr,
    /// An account, and what is wrong with it (several faults with commas between them). Without a password (NAME, NAME::FAULT) it gets a
    /// random one, which is printed. May be repeated. [default on loopback: alice:alicepw, healthy, and
    /// bob:bobpw:A01, whose password is refused]
    #[arg(long = "user", value_name = "NAME[:PASSWORD[:FAULT]]", value_parser = account)]
    users: Vec<SimAccount>,
    /// A voice menu: its number, the digits that ring a number, and what is wrong with it. May be repeated. Without it, 700 rings the first
    /// account for 1, the second for 2, and so on.
    #[arg(long = "ivr", value_name = "NUMBER/DIGITS=NUMBER[/...][/FAULT]", value_parser = menu)]
    menus: Vec<Ivr>,
    /// A ring group: its number, and the accounts that it rings as one. May be repeated.
    #[arg(long = "group", value_name = "NUMBER=NAME,NAME[,...]", value_parser = group)]
    groups: Vec<Group>,
    /// Callers hear a tone of 425 Hz in early media while it rings.
    #[arg(long)]
    ringback_tone: bool,
    /// Keys that, pressed in a call and followed by a number, transfer it blindly to that number, e.g. '##'.
    #[arg(long, value_name = "KEYS", value_parser = keys)]
    transfer_code: Option<String>,
    /// Keys that, pressed in a call and followed by a number, call that number first, e.g. '*2'; the hang-up joins the other two.
    #[arg(long, value_name = "KEYS", value_parser = keys)]
    consult_code: Option<String>,
    /// A park orbit: its number, and how many places it has behind it, e.g. 70/9 for 701 to 709.
    #[arg(long, value_name = "NUMBER/PLACES", value_parser = orbit)]
    park: Option<(String, u16)>,
    /// The domain that is served, and the realm.
    #[arg(long, value_name = "NAME", default_value = "lab.example")]
    domain: String,
    /// List every fault with what is seen of it, under the commands that show it, and end.
    #[arg(long)]
    faults: bool,
}

const EXAMPLES: &str = "\
Examples:
  ringback sim                                     alice is healthy, bob's password is refused
  ringback sim --bind 127.0.0.1:0 --user carol:pw:R01:600 --user dave:pw:A10,R18
  ringback sim --bind 0.0.0.0:5060 --user alice --user bob
      For phones of the local network; the passwords are random, and printed.
  ringback sim --user alice:pw --user bob:pw:D04   digits in calls of bob come twice
  ringback sim --user alice:pw --user bob:pw --ivr 700/1,2#=bob/9=*43 --ivr 701/1=bob/D17:never
      Two menus: at 700 the digits 1, 2 and # ring bob, and 9 is the echo; the one at 701 never answers.
  ringback sim --user alice:pw --user bob:pw --user carol:pw --group 600=bob,carol
      600 rings bob and carol as one.
  ringback sim --user alice:pw --user bob:pw --user carol:pw --transfer-code '##' --park 70/9
      ## and 203, pressed in a call, moves the other party to carol; ## and 701 parks it, and a call to 701 fetches it.
  ringback sim --faults                            every fault, under the commands that show it

Exit status: 0 ended by Ctrl-C, 2 wrong usage, or an address that cannot be had.";

/// An account of the network.
#[derive(Debug, Clone)]
struct SimAccount {
    name: String,
    password: String,
    faults: Vec<Fault>,
}

/// A ring group: its number and its members.
type Group = (String, Vec<String>);

pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    if arguments.faults {
        say(&faults());
        return Ok(Exit::Passed);
    }
    // Known passwords are for those who are on this host anyhow.
    let is_open = !arguments.bind.ip().is_loopback();
    let mut users: Vec<SimAccount> = if arguments.users.is_empty() {
        let accounts = if is_open { ["alice", "bob::A01"] } else { ["alice:alicepw", "bob:bobpw:A01"] };
        accounts.into_iter().map(account).collect::<Result<_, _>>().map_err(Failure::usage)?
    } else {
        arguments.users
    };
    for user in users.iter_mut().filter(|user| user.password.is_empty()) {
        user.password = random_password()?;
    }
    let mut names = HashSet::new();
    if let Some(twice) = users.iter().find(|user| !names.insert(&user.name)) {
        return Err(Failure::usage(format!(
            "--user: {} is given twice; name different accounts",
            twice.name
        )));
    }
    if is_open {
        tell(&exposed(arguments.bind, &users));
    }
    let mut config = pbx::Config::default();
    (config.transfer_code, config.consult_code) = (arguments.transfer_code, arguments.consult_code);
    config.park = arguments.park;
    let mut builder = Lab::builder().domain(&arguments.domain).pbx(config.clone());
    let menus = if arguments.menus.is_empty() {
        vec![embedded::menu(users.iter().map(|user| user.name.as_str()))?]
    } else {
        arguments.menus
    };
    for menu in &menus {
        builder = builder.ivr(menu.clone());
    }
    leads_somewhere(&menus, &users, &arguments.groups, &config)?;
    if let Some((orbit, places)) = &config.park {
        let mut slots = (1..=*places).map(|place| format!("{orbit}{place}"));
        if let Some((slot, whose)) = slots
            .find_map(|slot| Some((taken(&slot, &users, &menus)?, slot)).map(|(whose, slot)| (slot, whose)))
        {
            return Err(Failure::usage(format!(
                "--park {orbit}/{places}: {slot} is {whose}; take another number, e.g. 70/9"
            )));
        }
    }
    for (number, members) in &arguments.groups {
        if let Some(whose) = taken(number, &users, &menus) {
            return Err(Failure::usage(format!(
                "--group {number}: {number} is {whose}; take another number, e.g. 600"
            )));
        }
        if let Some(unknown) = members.iter().find(|member| !names.contains(member)) {
            return Err(Failure::usage(format!("--group {number}: there is no account {unknown}")));
        }
        builder = builder.group(number, members.clone());
    }
    if arguments.ringback_tone {
        builder = builder.ringback_tone();
    }
    builder = match arguments.bind {
        // The network itself looks for a port that is free for both transports.
        free if free.port() == 0 && free.is_ipv4() && free.ip().is_loopback() => builder,
        free if free.port() == 0 => {
            return Err(Failure::usage("--bind: port 0 goes with 127.0.0.1 only; name a port"));
        }
        address => builder.listen(address),
    };
    for (index, user) in users.iter().enumerate() {
        let healthy = User::new(&user.name, &user.password).extension(embedded::extension(index));
        builder = builder.user(user.faults.iter().fold(healthy, |user, fault| user.with_fault(*fault)));
    }
    let lab = builder.start().await.map_err(|error| not_bound(arguments.bind, error))?;
    // From here on a signal ends it in order, also while the lines below are written.
    let end = interrupt::signal();
    let address = lab.addr(Transport::Udp).unwrap_or(arguments.bind);
    say(&describe(address, &arguments.domain, &users, (&config, &menus, &arguments.groups)));
    let mut asked = lines();
    let mut end = std::pin::pin!(end);
    loop {
        tokio::select! {
            _ = &mut end => break,
            line = asked.recv() => match line {
                Some(()) => tell(&standing(&lab)),
                // Nobody can ask any more.
                None => {
                    end.await;
                    break;
                }
            },
        }
    }
    lab.shutdown().await;
    Ok(Exit::Passed)
}

/// Letters and digits of random passwords: none that is easily taken for another. There are 32, so that each bit of chance counts the same.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A password that nobody guesses: 100 bits.
fn random_password() -> Result<String, Failure> {
    let mut chance = [0; 20];
    getrandom::fill(&mut chance).map_err(|error| {
        Failure::usage(format!("the system gives no randomness: {error}; give passwords"))
    })?;
    Ok(chance.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// Shorter passwords are found by trying.
const SHORT: usize = 12;

/// What others can do with a network that they reach, and with which accounts at once.
fn exposed(address: SocketAddr, users: &[SimAccount]) -> String {
    let guessed: Vec<String> = users
        .iter()
        .filter(|user| {
            user.password.len() < SHORT || (user.name.len() > 2 && user.password.contains(&user.name))
        })
        .map(|user| shown(&user.name))
        .collect();
    let mut text = format!(
        "warning: {address} can be reached by others. Who knows a password, or has read one on the way or found it by trying, can register in \
         its account's place, take its calls, call every number here, and have requests and sound (some 64 kbit/s a call) sent from this host to \
         any other. Anybody can find out which names there are, and can read and change what phones send: nothing is encrypted. Keep others out \
         by a firewall, and end it after use; --bind 127.0.0.1:{} is for this host alone",
        address.port()
    );
    if !guessed.is_empty() {
        text += &format!(
            "\nwarning: easily guessed (under {SHORT} characters, or the name in it): the password of {}; leave it out (--user NAME) to get a \
             random one",
            guessed.join(", ")
        );
    }
    text
}

/// Whose number this is already.
fn taken(number: &str, users: &[SimAccount], menus: &[Ivr]) -> Option<String> {
    let is_its =
        |(index, user): &(usize, &SimAccount)| user.name == number || embedded::extension(*index) == number;
    let user = users.iter().enumerate().find(is_its).map(|(_, user)| format!("{}'s", user.name));
    let menu = || menus.iter().any(|menu| menu.number() == number).then(|| "a voice menu".to_owned());
    user.or_else(menu).or_else(|| embedded::service(number).map(str::to_owned))
}

/// Every option of a menu has somebody behind it.
fn leads_somewhere(
    menus: &[Ivr],
    users: &[SimAccount],
    groups: &[Group],
    config: &pbx::Config,
) -> Result<(), Failure> {
    let is_group = |number: &str| groups.iter().any(|(group, _)| group == number);
    let is_place =
        |number: &str| config.park.as_ref().is_some_and(|(orbit, _)| number.starts_with(orbit.as_str()));
    for menu in menus {
        let nowhere = |(_, number): &(String, &str)| {
            taken(number, users, menus).is_none() && !is_group(number) && !is_place(number)
        };
        if let Some((digits, number)) = menu.options().find(nowhere) {
            return Err(Failure::usage(format!(
                "--ivr {}/{digits}={number}: {number} is no account and no number of this network; add --user {number}:PASSWORD, or name another",
                menu.number()
            )));
        }
    }
    Ok(())
}

/// Why it could not begin, and what helps.
fn not_bound(address: SocketAddr, error: Error) -> Failure {
    let Error::Bind { source, .. } = &error else { return error.into() };
    let problem = match source.kind() {
        ErrorKind::AddrInUse => {
            format!(
                "another program has this port (a second ringback sim?); give another, or --bind {}",
                free(address)
            )
        }
        ErrorKind::AddrNotAvailable => "this host has no such address".to_owned(),
        ErrorKind::PermissionDenied => {
            format!("this port needs more rights; name one over 1023, or --bind {}", free(address))
        }
        _ => source.to_string(),
    };
    Failure::usage(format!("--bind {address}: {problem}"))
}

/// An address of the same kind whose port is free.
fn free(address: SocketAddr) -> String {
    if address == SocketAddr::from(([127, 0, 0, 1], address.port())) {
        return "127.0.0.1:0, which takes a free one".to_owned();
    }
    SocketAddr::new(address.ip(), address.port().checked_add(10_000).unwrap_or(15_060)).to_string()
}

/// Every fault, under the checks that show it.
fn faults() -> String {
    let all: Vec<FaultEntry> = Fault::list().collect();
    let width = all.iter().map(|fault| fault.spelling.len()).max().unwrap_or_default();
    let mut headings: Vec<&[&str]> = Vec::new();
    for fault in &all {
        if !headings.contains(&fault.shown_by) {
            headings.push(fault.shown_by);
        }
    }
    // Those of one check first, by its name; then what several show.
    headings.sort_by_key(|checks| checks.len());
    let group = |checks: &[&str]| {
        let lines = all.iter().filter(|fault| fault.shown_by == checks);
        let lines: String =
            lines.map(|fault| format!("  {:<width$}  {}\n", fault.spelling, fault.symptom)).collect();
        format!("Seen in {}:\n{lines}", checks.join(", "))
    };
    headings.into_iter().map(group).collect::<Vec<_>>().join("\n")
}

/// A message for each line of the standard input: Enter asks who is registered and who talks.
fn lines() -> tokio::sync::mpsc::Receiver<()> {
    let (asks, asked) = tokio::sync::mpsc::channel(1);
    // A read from a terminal cannot be stopped; the program ends without it.
    tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        while std::io::stdin().read_line(&mut line).is_ok_and(|length| length > 0) {
            line.clear();
            if asks.blocking_send(()).is_err() {
                return;
            }
        }
    });
    asked
}

/// Bindings and calls, as tables.
fn standing(lab: &Lab) -> String {
    let now = tokio::time::Instant::now().into_std();
    let mut rows =
        vec![["USER".to_owned(), "BINDING".to_owned(), "EXPIRES IN".to_owned(), "DEVICE".to_owned()]];
    for user in lab.users() {
        rows.extend(lab.bindings(user.name()).into_iter().map(|binding| {
            let left = binding.expires_at.saturating_duration_since(now).as_secs();
            let device = binding.user_agent.unwrap_or_default().escape_debug().to_string();
            [user.name().to_owned(), binding.contact.escape_debug().to_string(), format!("{left} s"), device]
        }));
    }
    let mut text = if rows.len() == 1 { "nobody is registered\n".to_owned() } else { table(&rows) };
    let legs = lab.legs();
    if legs.is_empty() {
        return text + "no calls";
    }
    let mut rows = vec![["LEG".to_owned(), "USER".to_owned(), "NUMBER".to_owned(), "STATE".to_owned()]];
    rows.extend(legs.iter().map(|leg| {
        let state = match (&leg.peer, leg.answered) {
            (Some(peer), true) => format!("up, joined with leg {peer}"),
            (None, true) => "up".to_owned(),
            (_, false) => "rings".to_owned(),
        };
        [leg.id.to_string(), leg.user.clone(), leg.number.escape_debug().to_string(), state]
    }));
    text += &table(&rows);
    text.trim_end().to_owned()
}

/// Columns as wide as they have to be.
fn table(rows: &[[String; 4]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 4] = std::array::from_fn(width);
    let line = |row: &[String; 4]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn describe(
    address: SocketAddr,
    domain: &str,
    users: &[SimAccount],
    (config, menus, groups): (&pbx::Config, &[Ivr], &[Group]),
) -> String {
    let everywhere = if address.ip().is_unspecified() { " (all addresses of this host)" } else { "" };
    let mut text = format!(
        "sip:{address}{everywhere} answers by UDP and TCP for {domain}; Enter shows who is registered and who talks, Ctrl-C ends it\n\n"
    );
    let width = |of: fn(&SimAccount) -> &str, least: usize| {
        users.iter().map(|user| of(user).len()).max().unwrap_or(0).max(least)
    };
    let (names, passwords) = (width(|user| &user.name, 4), width(|user| &user.password, 8));
    text += &format!("{:<names$}  {:<passwords$}  NUMBER  FAULT\n", "USER", "PASSWORD");
    for (index, user) in users.iter().enumerate() {
        let faults: Vec<String> =
            user.faults.iter().map(|fault| format!("{fault}: {}", fault.symptom())).collect();
        let (name, password, number) = (&user.name, &user.password, embedded::extension(index));
        let line = format!("{name:<names$}  {password:<passwords$}  {number:<6}  {}", faults.join("; "));
        text += &format!("{}\n", line.trim_end());
    }
    text += &numbers(config, menus, groups);
    if let Some(first) = users.first() {
        let SimAccount { name, password, .. } = first;
        // Nothing can be sent to "all addresses".
        let (server, here) = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => {
                (SocketAddr::from(([127, 0, 0, 1], address.port())), " on this host")
            }
            IpAddr::V6(ip) if ip.is_unspecified() => {
                (SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())), " on this host")
            }
            _ => (address, ""),
        };
        text += &format!(
            "\ntry{here}: ringback register {name}@{domain} --registrar sip:{server} --password {password}\n"
        );
        if !here.is_empty() {
            text += "Phones elsewhere name an address of this host.\n";
        }
    }
    text
}

/// The other numbers that can be called.
fn numbers(config: &pbx::Config, menus: &[Ivr], groups: &[Group]) -> String {
    let mut lines = Vec::new();
    lines.extend(
        config.echo.clone().map(|number| (number, "echo: sends back what it hears, digits too".to_owned())),
    );
    lines.extend(
        config
            .announcement
            .clone()
            .map(|number| (number, "announcement: plays tones and hangs up".to_owned())),
    );
    for menu in menus {
        let options: Vec<String> =
            menu.options().map(|(digits, number)| format!("{digits} rings {number}")).collect();
        let faults: Vec<String> =
            menu.faults().iter().map(|fault| format!("; {fault}: {}", fault.symptom())).collect();
        let text = format!("menu: {}{}", options.join(", "), faults.concat());
        lines.push((menu.number().to_owned(), text));
    }
    let group = |(number, members): &Group| (number.clone(), format!("group: rings {}", members.join(", ")));
    lines.extend(groups.iter().map(group));
    if let Some((number, places)) = &config.park {
        let slots =
            if *places == 1 { format!("{number}1") } else { format!("{number}1 to {number}{places}") };
        lines.push((
            slots,
            "parked calls: a call that is transferred there waits for whoever calls that number".to_owned(),
        ));
    }
    let codes = [(&config.transfer_code, ""), (&config.consult_code, " after a consultation")];
    for (code, how) in codes {
        let who = |code: &String| {
            (
                format!("{code}..."),
                format!(
                    "pressed in a call, with a number behind it: moves the other party to that number{how}"
                ),
            )
        };
        lines.extend(code.as_ref().map(who));
    }
    let width = lines.iter().map(|(number, _)| number.len()).max().unwrap_or(0).max(6);
    let mut text = format!("\n{:<width$}  WHO ANSWERS\n", "NUMBER");
    for (number, who) in lines {
        text += &format!("{number:<width$}  {who}\n");
    }
    text
}

fn menu(text: &str) -> Result<Ivr, String> {
    let wrong = |error: ringback::error::Error| error.to_string();
    let mut parts = text.split('/');
    let number = parts.next().filter(|number| !number.is_empty() && !number.contains('='));
    let mut menu = Ivr::new(number.ok_or("write NUMBER/DIGITS=NUMBER, e.g. 700/1,2#=bob")?);
    for part in parts {
        menu = match part.split_once('=') {
            Some((digits, number)) => menu.option(digits, number).map_err(wrong)?,
            None => menu.fault(part).map_err(wrong)?,
        };
    }
    if menu.options().next().is_none() {
        return Err("a menu needs an option, e.g. 700/1,2#=bob".into());
    }
    Ok(menu)
}

fn group(text: &str) -> Result<Group, String> {
    let wrong = "write NUMBER=NAME,NAME, e.g. 600=bob,carol";
    let (number, members) = text.split_once('=').ok_or(wrong)?;
    let members: Vec<String> = members.split(',').map(|member| member.trim().to_owned()).collect();
    if number.is_empty() || members.iter().any(String::is_empty) {
        return Err(wrong.into());
    }
    Ok((number.to_owned(), members))
}

fn keys(text: &str) -> Result<String, String> {
    let keys = parse_digits(text).map_err(|error| error.to_string())?;
    if keys.contains(&Key::Pause) { Err("no pauses here".into()) } else { Ok(text.to_owned()) }
}

fn orbit(text: &str) -> Result<(String, u16), String> {
    let places = text.split_once('/').map(|(number, places)| (number, places.parse::<u16>()));
    match places {
        Some((number, Ok(places @ 1..)))
            if number.bytes().all(|b| b.is_ascii_digit()) && !number.is_empty() =>
        {
            Ok((number.to_owned(), places))
        }
        _ => Err("write NUMBER/PLACES, e.g. 70/9".into()),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an address and a port, e.g. 127.0.0.1:5060 or [::1]:5060".into())
}

fn account(text: &str) -> Result<SimAccount, String> {
    let mut parts = text.splitn(3, ':');
    let Some(name) = parts.next().filter(|name| !name.is_empty()) else {
        return Err("write NAME, NAME:PASSWORD or NAME:PASSWORD:FAULT, e.g. bob:secret:A01".into());
    };
    // Without one it gets a random one.
    let password = parts.next().unwrap_or_default();
    let faults = parts.next().into_iter().flat_map(|faults| faults.split(','));
    let faults = faults.map(|fault| fault.parse().map_err(|error: ringback::error::Error| error.to_string()));
    Ok(SimAccount { name: name.into(), password: password.into(), faults: faults.collect::<Result<_, _>>()? })
}
