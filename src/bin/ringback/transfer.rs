//! `ringback transfer`: is a call transferred, and who hears whom afterwards?

use crate::asking::Asking;
use crate::dial::{DialOptions, dialled};
use crate::embedded;
use crate::exit::{Exit, Failure, value};
use crate::output::tell;
use ringback::check::{DtmfMethod, FeatureCode, ReferTo, Transfer, TransferKind, TransferTarget};
use ringback::media::digit::parse_digits;
use ringback::report::shown;
use ringback::sim::{LabBuilder, pbx};

/// Options that say how a REFER is sent, or that need a target who is asked.
const OF_REFER: [&str; 5] = ["refer_to", "early_replaces", "hang_up_early", "at_once", "asked"];

/// Is a call transferred, and who hears whom afterwards?
///
/// A calls B, and A moves B to C (--by callee: B moves A to C). Each party sends a tone of its own and listens for those of the others: it
/// passes when the right two hear each other, the third is released, no leg is left, and the transferor was told the truth.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The account that calls.
    #[arg(value_name = "A")]
    a: String,
    /// The account that is called.
    #[arg(value_name = "B")]
    b: String,
    /// The account that one of them is moved to.
    #[arg(value_name = "C")]
    c: String,
    #[command(flatten)]
    transfer: TransferOptions,
    #[command(flatten)]
    call: DialOptions<20, 't'>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Transfer")]
struct TransferOptions {
    /// How: blind, attended or semi-attended. [default: blind]
    #[arg(long, value_name = "KIND", value_parser = value::<TransferKind>)]
    kind: Option<TransferKind>,
    /// The transferor: caller or callee.
    #[arg(long, value_name = "END", default_value = "caller", value_parser = ["caller", "callee"])]
    by: String,
    /// Behaviour of C when the transfer calls it (blind, semi-attended; in an attended transfer C has answered before: see --asked): answers, busy,
    /// or rings without an answer. With busy and rings it passes when C was asked, the one who transfers was told
    /// so (486, not 200), and the other one is back with it.
    #[arg(long, value_name = "WHAT", default_value = "answers", value_parser = ["answers", "busy", "rings"])]
    target: String,
    /// Behaviour of C when A calls it first (attended): answers, busy, or rings without an answer; it passes when the other one
    /// is back with A then.
    #[arg(long, value_name = "WHAT", default_value = "answers", value_parser = ["answers", "busy", "rings"])]
    asked: String,
    /// How the target is named in Refer-To: aor, a number in its domain (203), or a URI (tel:+15550103, which the embedded
    /// network refuses).
    #[arg(long, value_name = "FORM", default_value = "aor", value_parser = value::<ReferTo>)]
    refer_to: ReferTo,
    /// Semi-attended (it implies --kind semi-attended) by Replaces of the call that still rings, as some phones do.
    #[arg(long)]
    early_replaces: bool,
    /// The transferor hangs up as soon as the REFER is accepted, as many phones do.
    #[arg(long)]
    hang_up_early: bool,
    /// Hold and REFER in one go, without a pause, as phones with one key for it do.
    #[arg(long)]
    at_once: bool,
    /// B is parked at this place, e.g. 701, and C fetches it there. The embedded network has any place.
    #[arg(long, value_name = "PLACE", conflicts_with_all = OF_REFER)]
    #[arg(conflicts_with_all = ["kind", "target", "complete_by"])]
    park: Option<String>,
    /// The transferor presses these keys in the call instead of sending REFER: the code, and then the number of C. The embedded network
    /// takes any code. [default with no CODE: ##]
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "##", value_parser = keys, conflicts_with_all = OF_REFER)]
    by_keys: Option<String>,
    /// With --by-keys: the number of C (with --park too: of the place) as it is pressed. [default: the user of its account]
    #[arg(long, value_name = "DIGITS", requires = "by_keys")]
    number: Option<String>,
    /// With --by-keys: keys that end the number, e.g. '#'. [default: none]
    #[arg(long, value_name = "KEYS", requires = "by_keys")]
    end_key: Option<String>,
    /// With --by-keys: keys that join the other two after a consultation. [default: the transferor hangs up]
    #[arg(long, value_name = "KEYS", requires = "by_keys")]
    complete_by: Option<String>,
    /// With --by-keys: how they are sent: rfc4733, info or inband.
    #[arg(long, value_name = "METHOD", requires = "by_keys", default_value = "rfc4733", value_parser = value::<DtmfMethod>)]
    method: DtmfMethod,
}

const EXAMPLES: &str = "\
Examples:
  ringback transfer alice bob carol --kind attended              on the embedded network
  ringback transfer alice bob carol --fault X19                  what it looks like when the wrong two are joined
  ringback transfer --accounts accounts.toml alice bob carol
  ringback transfer --accounts accounts.toml alice bob carol --kind attended --ladder
  ringback transfer --accounts accounts.toml alice bob carol --target busy --json
  ringback transfer --accounts accounts.toml alice bob carol --refer-to tel:+15550103
  ringback transfer alice bob carol --hang-up-early --fault X18  who hangs up too early for the platform
  ringback transfer alice bob carol --by-keys '##'               by a feature code, on the embedded network
  ringback transfer --accounts accounts.toml alice bob carol --kind attended --by-keys '*2' --number 203
  ringback transfer alice bob carol --park 701                   alice parks bob, carol fetches him

Exit status: 0 the right two hear each other (with a target that is busy or only rings: the first two do again), 1 they do not,
2 wrong usage, 3 inconclusive or not run.
Ctrl-C hangs up every call and removes what was bound. A second one quits at once (130).";

impl Arguments {
    fn kind(&self) -> Result<TransferKind, Failure> {
        match (self.transfer.kind, self.transfer.early_replaces) {
            (Some(TransferKind::Blind | TransferKind::Attended), true) => {
                Err(Failure::usage("--early-replaces is a semi-attended transfer; leave --kind out"))
            }
            (None, true) => Ok(TransferKind::SemiAttended),
            (kind, _) => Ok(kind.unwrap_or(TransferKind::Blind)),
        }
    }

    /// The embedded network takes the keys that are to be tried, and has the place.
    fn set_up(&self, kind: TransferKind, lab: LabBuilder) -> Result<LabBuilder, Failure> {
        let mut config = pbx::Config::default();
        let blind = kind == TransferKind::Blind;
        config.transfer_code = self.transfer.by_keys.clone().filter(|_| blind);
        config.consult_code = self.transfer.by_keys.clone().filter(|_| !blind);
        config.complete_code.clone_from(&self.transfer.complete_by);
        config.park = self.transfer.park.as_deref().map(orbit).transpose()?;
        Ok(lab.pbx(config))
    }
}

/// The park orbit of the embedded network that has this place: 701 is the first place of 70, 710 the tenth of 7.
fn orbit(place: &str) -> Result<(String, u16), Failure> {
    let is_number = place.bytes().all(|b| b.is_ascii_digit() || b == b'*');
    let split = place.rfind(|c| c != '0').filter(|at| is_number && *at > 0);
    let orbit = split.and_then(|at| Some((place.get(..at)?.to_owned(), place.get(at..)?.parse().ok()?)));
    // 201 to 208 are the accounts.
    orbit.filter(|(number, _)| embedded::account_at(&format!("{number}1")).is_none()).ok_or_else(|| {
        Failure::usage(format!(
            "--park \"{}\": the places of the embedded network are numbers like 701, of an orbit (70) and a place in it (1), and none of an account",
            shown(place)
        ))
    })
}

/// Keys, and not the name of an account that follows.
fn keys(text: &str) -> Result<String, String> {
    let wrong = "not keys (0-9, *, #, A-D); write --by-keys='##', or --by-keys behind the names";
    parse_digits(text).map(|_| text.to_owned()).map_err(|_| wrong.to_owned())
}

/// The target's behaviour, by the word for it.
fn manner(word: &str) -> TransferTarget {
    match word {
        "busy" => TransferTarget::Refuses(486),
        "rings" => TransferTarget::Rings,
        _ => TransferTarget::Answers,
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let kind = arguments.kind()?;
    arguments.call.within_reach(&arguments.asking.ends)?;
    let names = [("A", arguments.a.as_str()), ("B", &arguments.b), ("C", &arguments.c)];
    let ends = arguments.asking.open_with("transfer", &names, |lab| arguments.set_up(kind, lab)).await?;
    let [a, b, c] = ends.accounts.as_slice() else { return Err(Failure::usage("three accounts are needed")) };
    let mut check = dialled!(Transfer::new(a, b, c, kind), arguments.call)
        .target(manner(&arguments.transfer.target))
        .asked(manner(&arguments.transfer.asked))?
        .refer_to(arguments.transfer.refer_to.clone())?;
    if arguments.transfer.by == "callee" {
        check = check.by_callee();
    }
    if arguments.transfer.early_replaces {
        check = check.early_replaces()?;
    }
    if arguments.transfer.hang_up_early {
        check = check.hang_up_early()?;
    }
    if arguments.transfer.at_once {
        check = check.at_once()?;
    }
    if let Some(place) = &arguments.transfer.park {
        check = check.park(place)?;
    }
    if let Some(code) = &arguments.transfer.by_keys {
        let mut code = FeatureCode::new(code)?.method(arguments.transfer.method);
        // The users of the embedded network have names, and numbers beside them.
        let known = arguments.asking.ends.embedded().then(|| embedded::number_of(&arguments.c)).flatten();
        let number = arguments.transfer.number.clone().or(known);
        if let Some(number) =
            number.filter(|_| arguments.transfer.number.is_some() || arguments.transfer.park.is_none())
        {
            code = code.number(&number)?;
        }
        if let Some(end) = &arguments.transfer.end_key {
            code = code.end(end)?;
        }
        if let Some(complete) = &arguments.transfer.complete_by {
            code = code.complete_by(complete)?;
        }
        check = check.by_keys(code)?;
    }
    let by_tel = matches!(&arguments.transfer.refer_to, ReferTo::Uri(uri) if !uri.starts_with("sip"));
    if by_tel && ends.is_embedded() {
        tell(
            "note: the embedded network takes sip: only in Refer-To and answers 416 to anything else, as many platforms do: a fail is what it should be",
        );
    }
    arguments.asking.ask(check, ends).await
}
