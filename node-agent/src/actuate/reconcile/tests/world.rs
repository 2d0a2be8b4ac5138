//! A simulated kernel that tests and a manager share, and a folder for the ledger.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt as _;
use mesh_proto::model::IfName;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::*;
use crate::actuate::sim::{Sim, SimInterface, SimMesh};
use crate::actuate::{Kernel, Knob, MeshSetting, Observed, ReadError, Setting, Value, WriteError};

#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Mutex<Sim>>, Arc<Mutex<Indexes>>);

/// An interface keeps its index as long as it is there.
#[derive(Debug, Default)]
struct Indexes {
    last: u32,
    by_name: BTreeMap<IfName, u32>,
}

pub(super) struct World {
    kernel: Shared,
    pub(super) boot_id: &'static str,
    pub(super) folder: Arc<tempfile::TempDir>,
}

/// A task that keeps it so, and its ends.
pub(super) struct Agent {
    pub(super) events: mpsc::Sender<()>,
    pub(super) asking: mpsc::Sender<Asked>,
    pub(super) managed: watch::Receiver<BTreeMap<IfName, Managed>>,
    pub(super) managing: watch::Receiver<Managing>,
    pub(super) records: mpsc::Receiver<Record>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

pub(super) fn wishes(text: &str) -> Wishes {
    Wishes::parse(Path::new("/nowhere/agent.toml"), text).unwrap()
}

pub(super) fn penalty(number: u32) -> Option<Value> {
    Some(Value::Number(number))
}

fn boottime() -> Duration {
    thread_local! {
        static BOOT: OnceCell<Instant> = const { OnceCell::new() };
    }
    let boot = BOOT.with(|boot| *boot.get_or_init(Instant::now));
    Duration::from_secs(1_000) + boot.elapsed()
}

impl World {
    /// Three cables, no mesh.
    pub(super) fn new() -> Self {
        Self::of(Sim::default(), "one", Arc::new(tempfile::tempdir().unwrap()))
    }

    fn of(mut sim: Sim, boot_id: &'static str, folder: Arc<tempfile::TempDir>) -> Self {
        for (name, last) in [("eth0", 1), ("eth1", 2), ("eth2", 3)] {
            sim.interfaces
                .insert(name.parse().unwrap(), SimInterface::ethernet(last));
        }
        Self {
            kernel: Shared(Arc::new(Mutex::new(sim)), Arc::default()),
            boot_id,
            folder,
        }
    }

    /// The machine was started anew: the kernel knows nothing, the disk is as it was.
    pub(super) fn reboot(&self) -> Self {
        Self::of(Sim::default(), "two", Arc::clone(&self.folder))
    }

    pub(super) fn sim(&self) -> MutexGuard<'_, Sim> {
        self.kernel.0.lock().unwrap()
    }

    /// As another manager does.
    pub(super) fn make(&self, mesh: &str, member: &str) {
        let mut sim = self.sim();
        sim.meshes.insert(mesh.parse().unwrap(), SimMesh::new("BATMAN_IV", 9));
        let knob = Knob::interface(&member.parse().unwrap(), Setting::Master);
        let master = Value::Interface(mesh.parse().unwrap());
        sim.set(&knob, Some(&master)).unwrap();
    }

    /// As batctl does.
    pub(super) fn set_penalty(&self, mesh: &str, number: u32) {
        let knob = Knob::mesh(&mesh.parse().unwrap(), Setting::Mesh(MeshSetting::HopPenalty));
        self.sim().set(&knob, Some(&Value::Number(number))).unwrap();
    }

    pub(super) fn penalty(&self, mesh: &str) -> Option<Value> {
        let knob = Knob::mesh(&mesh.parse().unwrap(), Setting::Mesh(MeshSetting::HopPenalty));
        self.sim().state().get(&knob).cloned()
    }

    pub(super) fn master(&self, interface: &str) -> Option<String> {
        let interface: IfName = interface.parse().unwrap();
        let state = self.sim().state();
        state.master(&interface).map(ToString::to_string)
    }

    pub(super) fn clock(&self) -> Clock {
        Clock {
            boot_id: self.boot_id.to_owned(),
            boottime,
        }
    }

    fn idle(&self, text: &str) -> Manager<Shared> {
        let folder = self.folder.path().to_owned();
        Manager::new(self.kernel.clone(), self.clock(), folder, wishes(text))
    }

    /// With the lock, as a command.
    pub(super) fn manager(&self, text: &str) -> Manager<Shared> {
        let mut manager = self.idle(text);
        manager.take_ledger().unwrap();
        manager
    }

    /// With the lock, of a file that is there.
    pub(super) fn manager_of(&self, wishes: Wishes) -> Manager<Shared> {
        let folder = self.folder.path().to_owned();
        let mut manager = Manager::new(self.kernel.clone(), self.clock(), folder, wishes);
        manager.take_ledger().unwrap();
        manager
    }

    /// As `run`.
    pub(super) fn agent(&self, text: &str) -> Agent {
        let (events, changed) = mpsc::channel(1);
        let (asking, asked) = mpsc::channel(4);
        let (managed, managed_now) = watch::channel(BTreeMap::new());
        let (managing, managing_now) = watch::channel(Managing::default());
        let (told, records) = mpsc::channel(1_000);
        let channels = Channels {
            events: changed,
            asked,
            managed,
            managing,
            records: told,
            beats: watch::channel(()).0,
        };
        let stop = CancellationToken::new();
        Agent {
            events,
            asking,
            managed: managed_now,
            managing: managing_now,
            records,
            task: tokio::spawn(run(self.idle(text), channels, stop.clone())),
            stop,
        }
    }
}

impl Agent {
    /// The kernel says that something changed.
    pub(super) async fn changed(&self) {
        self.events.send(()).await.unwrap();
    }

    pub(super) async fn ask(&self, request: Request) -> Answer {
        let (to, answer) = tokio::sync::oneshot::channel();
        self.asking.send((request, to)).await.unwrap();
        answer.await.unwrap()
    }

    /// As kill -9 does.
    pub(super) async fn kill(self) {
        self.task.abort();
        let _aborted = self.task.await;
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    pub(super) fn drift(&self, mesh: &str) -> u32 {
        self.managed.borrow()[&mesh.parse::<IfName>().unwrap()].drift
    }
}

impl Kernel for Shared {
    async fn read(&mut self) -> Result<Observed, ReadError> {
        let read = self.0.lock().unwrap().read().now_or_never();
        let mut observed = read.unwrap()?;
        let Indexes { last, by_name } = &mut *self.1.lock().unwrap();
        by_name.retain(|name, _| observed.facts.interfaces.contains_key(name));
        for (name, fact) in &mut observed.facts.interfaces {
            fact.ifindex = *by_name.entry(name.clone()).or_insert_with(|| {
                *last += 1;
                *last
            });
        }
        Ok(observed)
    }

    async fn write(&mut self, knob: &Knob, value: Option<&Value>, now: &Observed) -> Result<(), WriteError> {
        let written = self.0.lock().unwrap().write(knob, value, now).now_or_never();
        match written {
            Some(written) => written,
            // Killed.
            None => std::future::pending().await,
        }
    }
}
