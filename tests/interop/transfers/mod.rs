//! Transfers, with programs that we did not write at one end or between.

mod baresip;
mod baresip_older;
mod lossy;
mod many;
mod misled;
mod ours;
mod referral;
mod sipp_transferee;
mod sipp_transferor;
mod wire;

use crate::peer::kamailio::Kamailio;
use std::path::Path;

/// Alice, bob and carol at this Kamailio, in a file.
fn accounts(kamailio: &Kamailio, dir: &Path, host: &str, transport: &str) -> String {
    let registrar = format!("sip:{host}:{};transport={transport}", kamailio.port());
    let account = |name: &str| {
        format!(
            "[[account]]\nname = \"{name}\"\naor = \"sip:{name}@lab.example\"\npassword = \"{name}pw\"\nregistrar = \"{registrar}\"\n"
        )
    };
    let path = dir.join("accounts.toml");
    std::fs::write(&path, ["alice", "bob", "carol"].map(account).concat()).unwrap();
    path.to_str().unwrap().to_owned()
}
