//! What the console's pages show of calls and of the gateway, by the same questions as the control socket's.

mod audit;
mod figures;
mod live;
mod logs;
mod over;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::console::{AuditPage, AuditWanted, Call, CallLine, Explained, Host, Overview, Question, Refused};
use tokio::runtime::Handle;

use super::asking::Asking;
use super::control::{Calls, known, look_at};
use super::reload::Reload;
use crate::clock::Now;
use crate::explain::{self, Live, explain_live};
use crate::peer::Transport;
use crate::question::CallFilter;
use crate::record::read::{Folder, InJournal, Shelf, find_call, newest_calls};
use crate::why::Wanted;

pub(super) use figures::Figures;

/// So many records are looked at for one page, at most.
const LOOKED_AT: usize = 2_000;

/// See the module. It is asked on threads that may wait, and so it waits.
pub(super) struct Pages {
    asking: Asking,
    reload: Arc<Reload>,
    runtime: Handle,
    figures: Arc<Figures>,
}

impl Pages {
    pub fn new(asking: Asking, reload: Arc<Reload>, runtime: Handle) -> Pages {
        let figures = Arc::new(Figures::new(reload.metrics.clone()));
        Pages { asking, reload, runtime, figures }
    }

    /// The directory, and what is on its way there.
    fn shelves(&self) -> io::Result<Vec<Box<dyn Shelf>>> {
        let directory = &self.reload.current.load().records.directory;
        Ok(vec![Box::new(Folder(directory.clone())), Box::new(InJournal::of(directory)?)])
    }

    /// The record of a call that is over, with what its connectors' logs say of it.
    fn on_record(&self, id: &str) -> io::Result<Option<Call>> {
        let Some(record) = find_call(&self.shelves()?, id)? else { return Ok(None) };
        let mut call = over::call(&record);
        let directory = self.reload.current.load().records.directory.clone();
        call.ladder = logs::ladder(&directory, &record);
        call.minutes = logs::minutes(&directory, &record);
        Ok(Some(call))
    }

    /// What would become of the same call now.
    fn decided_now(&self, call: &mut Call) {
        if let Some(explained) = call.question.as_ref().and_then(|question| self.explain(question).ok()) {
            call.steps = explained.steps;
            call.steps_of_now = true;
        }
    }
}

impl Host for Pages {
    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        crate::api::fill(&mut bytes);
        bytes
    }

    fn overview(&self) -> Overview {
        Figures::keep_on(&self.figures, &self.runtime);
        let Reload { shared, tls, current, .. } = &*self.reload;
        let mut overview = self.figures.overview();
        overview.obstacles = shared.readiness.obstacles();
        if !shared.records_accept_calls() {
            overview.obstacles.push("records: call records can't be written".to_owned());
        }
        let probed = shared.hosts.carriers();
        for carrier in &current.load().carrier {
            let name = carrier.name.as_str();
            let mut line = self.figures.carrier(name);
            line.up = probed.get(name).copied();
            overview.carriers.push(line);
        }
        let now = Now::read().unix;
        overview.certificates = tls.expiries().iter().map(|one| figures::certificate(one, now)).collect();
        overview
    }

    fn calls(&self, number: &str, most: usize) -> Result<Vec<CallLine>, String> {
        let number = Some(number).filter(|number| !number.is_empty()).map(str::to_owned);
        let filter = CallFilter { number, ..CallFilter::default() };
        let mut calls = Calls::new(&self.asking, filter);
        self.runtime.block_on(async {
            let mut lines = Vec::new();
            while lines.len() < most {
                match calls.next().await {
                    Ok(Some((_, line))) => lines.push(live::line(&line)),
                    Ok(None) => break,
                    Err(silence) => return Err(silence.to_string()),
                }
            }
            Ok(lines)
        })
    }

    fn ended(&self, number: &str, most: usize) -> Result<Vec<CallLine>, String> {
        let (mut lines, mut left) = (Vec::new(), LOOKED_AT);
        let mut take = |record: serde_json::Value| {
            let line = over::line(&record);
            if line.caller.contains(number) || line.callee.contains(number) {
                lines.push(line);
            }
            left -= 1;
            left > 0 && lines.len() < most
        };
        let read = self.shelves().and_then(|shelves| newest_calls(&shelves, &mut take));
        read.map_err(|error| format!("records can't be read: {error}"))?;
        Ok(lines)
    }

    fn refused(&self, number: &str, most: usize) -> Result<Vec<Refused>, String> {
        let (found, silence) = self.runtime.block_on(known(&self.asking, &Wanted(number.to_owned())));
        match silence {
            Some(silence) if found.is_empty() => Err(silence.to_string()),
            _ => Ok(found.iter().take(most).map(live::refused).collect()),
        }
    }

    fn call(&self, id: &str) -> Result<Option<Call>, String> {
        if let Ok(view) = self.runtime.block_on(look_at(&self.asking, id)) {
            let mut call = live::call(&view);
            self.decided_now(&mut call);
            return Ok(Some(call));
        }
        let on_record =
            |id: &str| self.on_record(id).map_err(|error| format!("records can't be read: {error}"));
        let (found, silence) = self.runtime.block_on(known(&self.asking, &Wanted(id.to_owned())));
        let exact = |one: &&crate::why::Explanation| {
            one.call_ids.iter().chain(&one.transaction_id).any(|known| known.eq_ignore_ascii_case(id))
        };
        if let Some(explained) = found.iter().find(exact) {
            let mut call = live::failed(explained);
            let record = explained.transaction_id.as_deref().map(on_record).transpose()?.flatten();
            if let Some(record) = record {
                (call.record, call.minutes) = (record.record, record.minutes);
            }
            return Ok(Some(call));
        }
        let mut call = on_record(id)?;
        if let Some(call) = &mut call {
            self.decided_now(call);
        }
        match silence {
            Some(silence) if call.is_none() => Err(silence.to_string()),
            _ => Ok(call),
        }
    }

    fn explain(&self, question: &Question) -> Result<Explained, String> {
        let source = question.source.parse();
        let source = source.map_err(|_| "the address is none: write one like 203.0.113.5".to_owned())?;
        let transport = match question.transport.as_str() {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls,
            _ => return Err("the transport is none: udp, tcp or tls".to_owned()),
        };
        let connector = Some(question.connector.clone()).filter(|id| !id.is_empty());
        let (from, to) = (question.from.clone(), question.to.clone());
        let (asserted, diversion) = (Vec::new(), Vec::new());
        let question =
            explain::Question { from, asserted, diversion, to, source, transport, connector, draw: 0 };
        let config = self.reload.current.load_full();
        let live = Live { shared: &self.reload.shared, now: Now::read() };
        let explanation = explain_live(&config, live, &question);
        let steps = explanation.to_string().lines().map(|line| line.trim().to_owned()).collect();
        Ok(Explained { admitted: explanation.exit_code() == 0, steps })
    }

    fn audit(&self, wanted: &AuditWanted) -> Result<AuditPage, String> {
        let read = self.shelves().and_then(|shelves| audit::page(&shelves, wanted, LOOKED_AT));
        read.map_err(|error| format!("the audit can't be read: {error}"))
    }
}

/// Milliseconds as seconds for people.
fn seconds(milliseconds: u64) -> String {
    let milliseconds = Duration::from_millis(milliseconds).as_secs_f64();
    format!("{milliseconds:.1} s")
}
