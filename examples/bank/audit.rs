//! The books, computed anew from the log.

use std::{collections::BTreeMap, error::Error, fmt, ops::ControlFlow};

use annals::{Annals, Bincode, LogQuery, Payloads};

use crate::account::AccountEvent;

/// What the log says about the bank.
pub(crate) struct Books {
    accounts: usize,
    balances: u64,
    paid_in: u64,
    paid_out: u64,
    events: u64,
    bytes: u64,
}

/// Reads the whole log.
///
/// # Errors
/// The log cannot be read, or the books do not balance.
pub(crate) fn audit(annals: &Annals) -> Result<Books, Box<dyn Error + Send + Sync>> {
    let mut balances: BTreeMap<String, u64> = BTreeMap::new();
    let (mut paid_in, mut paid_out) = (0, 0);
    let mut failed = None;
    let payloads = Payloads::new(Bincode);
    annals.read_all(LogQuery::forward()).visit(|view| {
        match payloads.decode_view::<AccountEvent>(view) {
            // None is skipped unless asked for.
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(event)) => {
                match &event {
                    AccountEvent::Deposited { cents } => paid_in += cents,
                    AccountEvent::Withdrawn { cents } => paid_out += cents,
                    AccountEvent::Sent { .. } | AccountEvent::Received { .. } => {}
                }
                let balance = balances.entry(view.stream.to_owned()).or_default();
                *balance = event.apply(*balance);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(format!("position {}: {error}", view.position));
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(failed) = failed {
        return Err(failed.into());
    }
    let stats = annals.stats();
    let books = Books {
        accounts: balances.len(),
        balances: balances.values().sum(),
        paid_in,
        paid_out,
        events: stats.position.get(),
        bytes: stats.log.bytes_used,
    };
    if books.balances != books.paid_in - books.paid_out {
        return Err(format!("the books do not balance: {books}").into());
    }
    Ok(books)
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accounts, balances, paid_in, paid_out, events, bytes } = self;
        let per_event = bytes.checked_div(*events).unwrap_or(0);
        writeln!(
            f,
            "balances       {balances} cents in {accounts} accounts = {paid_in} paid in - {paid_out} paid out"
        )?;
        write!(f, "on disk        {per_event} bytes per event, {events} events in the log")
    }
}
