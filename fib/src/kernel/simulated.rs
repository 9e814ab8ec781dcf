//! A kernel for tests: the real one's rules for slots, next hops as the test says, and errors on demand.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    net::IpAddr,
    rc::Rc,
};

use ipnet::IpNet;

use super::{Admin, Carrier, Kernel, Link, Target};
use crate::{
    error::Errno,
    object::{KernelObject, ObjectId, ObjectRequest, Shape},
    resolve::Lookup,
    route::{KernelRoute, Path},
    table::{Action, Request, Slot, intern::Interner},
};

/// What goes wrong next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The next request is refused.
    Refuse(i32),
    /// Half of the next batch is carried out, and no answer comes.
    Silence,
}

/// The state, shared with the test.
#[derive(Default)]
pub(crate) struct World {
    /// Slots with their routes in the order of their coming.
    pub(crate) slots: BTreeMap<Slot, Vec<KernelRoute>>,
    /// Whether there are next-hop objects at all.
    pub(crate) has_objects: bool,
    /// Next-hop objects.
    pub(crate) objects: BTreeMap<ObjectId, KernelObject>,
    /// Requests about objects carried out.
    pub(crate) object_requests: usize,
    /// Answers to lookups.
    pub(crate) lookups: BTreeMap<IpAddr, Lookup>,
    /// Devices.
    pub(crate) links: Vec<Link>,
    /// Prefixes that must not be deleted.
    pub(crate) wanted: BTreeSet<IpNet>,
    /// What goes wrong next, in order.
    pub(crate) faults: VecDeque<Fault>,
    /// Every request carried out.
    pub(crate) done: Vec<(Action, IpNet)>,
    /// The prefix that the next dump leaves out, as one does that is interrupted by a change of the table.
    pub(crate) overlooked: Option<IpNet>,
    /// How often routes were read.
    pub(crate) dumps: usize,
}

impl World {
    /// Removes an object as the kernel does: with it go the groups it was the last leg of, and every route of theirs.
    pub(crate) fn remove_object(&mut self, id: ObjectId) {
        self.objects.remove(&id);
        let mut emptied = Vec::new();
        for object in self.objects.values_mut() {
            if let Shape::Group(members) = &mut object.shape {
                members.retain(|member| member.id != id);
                emptied.extend(members.is_empty().then_some(object.id));
            }
        }
        self.slots.values_mut().for_each(|routes| routes.retain(|route| route.path.object() != Some(id)));
        emptied.into_iter().for_each(|id| self.remove_object(id));
    }

    fn change_object(&mut self, protocol: u8, request: &ObjectRequest) -> Result<(), Errno> {
        let id = request.id();
        let there = self.objects.contains_key(&id);
        match request {
            ObjectRequest::Create(..) if there => return Err(Errno(libc::EEXIST)),
            ObjectRequest::Replace(..) | ObjectRequest::Delete(_) if !there => {
                return Err(Errno(libc::ENOENT));
            }
            ObjectRequest::Create(_, shape) | ObjectRequest::Replace(_, shape) => {
                if let Shape::Group(members) = shape
                    && !members.iter().all(|member| self.objects.contains_key(&member.id))
                {
                    return Err(Errno(libc::EINVAL));
                }
                let object = KernelObject { id, protocol, shape: shape.clone() };
                let before = self.objects.insert(id, object);
                let group = |shape: &Shape| matches!(shape, Shape::Group(_));
                assert!(before.is_none_or(|b| group(&b.shape) == group(shape)), "{id} changed its kind");
            }
            ObjectRequest::Delete(_) => {
                let users = self.routes().iter().filter(|route| route.path.object() == Some(id)).count();
                assert_eq!(users, 0, "{id} was deleted in use");
                self.remove_object(id);
            }
        }
        self.object_requests += 1;
        Ok(())
    }

    /// Every route, sorted by slot.
    pub(crate) fn routes(&self) -> Vec<KernelRoute> {
        self.slots.values().flatten().cloned().collect()
    }
}

/// A handle to the state that acts as a kernel.
#[derive(Clone)]
pub(crate) struct Simulated {
    pub(crate) target: Target,
    pub(crate) world: Rc<RefCell<World>>,
    /// Protocols whose routes may be replaced.
    pub(crate) adopted: Vec<u8>,
}

impl Simulated {
    pub(crate) fn new(target: Target) -> Self {
        let links = vec![
            Link { index: 2, name: "eth0".into(), admin: Admin::Up, carrier: Carrier::Present },
            Link { index: 9, name: "tunl0".into(), admin: Admin::Up, carrier: Carrier::Present },
        ];
        Self {
            target,
            adopted: Vec::new(),
            world: Rc::new(RefCell::new(World { links, has_objects: true, ..World::default() })),
        }
    }

    fn carry_out(&self, paths: &Interner<Path>, request: &Request) -> Result<(), Errno> {
        let mut world = self.world.borrow_mut();
        let path = request.path.and_then(|path| paths.get(path)).cloned();
        if let Some(id) = path.as_ref().and_then(Path::object)
            && request.action != Action::Delete
            && !world.objects.contains_key(&id)
        {
            return Err(Errno(libc::EINVAL));
        }
        let routes = world.slots.entry(request.slot).or_default();
        let ours = |route: &KernelRoute| {
            route.protocol == request.protocol.unwrap_or(self.target.protocol)
                && path.as_ref().is_none_or(|path| *path == route.path)
        };
        match request.action {
            Action::Create if !routes.is_empty() => return Err(Errno(libc::EEXIST)),
            Action::Create => routes.push(self.route(request.slot, path)),
            Action::Replace => {
                let first = routes.first_mut().ok_or(Errno(libc::ENOENT))?;
                let may = first.protocol == self.target.protocol || self.adopted.contains(&first.protocol);
                assert!(may, "{:?} was stolen", request.slot);
                *first = self.route(request.slot, path);
                first.protocol = request.protocol.unwrap_or(self.target.protocol);
            }
            Action::Delete => {
                let index = routes.iter().position(ours).ok_or(Errno(libc::ESRCH))?;
                routes.remove(index);
                let wanted = request.path.is_none() && world.wanted.contains(&request.slot.prefix);
                assert!(!wanted, "{} was deleted although wanted", request.slot.prefix);
            }
        }
        world.done.push((request.action, request.slot.prefix));
        Ok(())
    }

    fn route(&self, slot: Slot, path: Option<Path>) -> KernelRoute {
        let path = path.expect("a new route has a path");
        KernelRoute {
            prefix: slot.prefix,
            table: self.target.table,
            protocol: self.target.protocol,
            metric: slot.metric,
            tos: slot.tos,
            legs: path.legs().into(),
            path,
            kind: 1,
        }
    }

    fn fault(&self) -> Option<Fault> {
        self.world.borrow_mut().faults.pop_front()
    }
}

impl Kernel for Simulated {
    fn program(
        &mut self,
        paths: &Interner<Path>,
        batch: &[Request],
        refused: &mut Vec<(usize, Errno)>,
    ) -> io::Result<()> {
        refused.clear();
        assert!(batch.len() <= super::BATCH);
        for (index, request) in batch.iter().enumerate() {
            let result = match self.fault() {
                Some(Fault::Silence) => return Err(io::ErrorKind::TimedOut.into()),
                Some(Fault::Refuse(errno)) => Err(Errno(errno)),
                None => self.carry_out(paths, request),
            };
            refused.extend(result.err().map(|errno| (index, errno)));
        }
        Ok(())
    }

    fn program_objects(
        &mut self,
        batch: &[ObjectRequest],
        refused: &mut Vec<(usize, Errno)>,
    ) -> io::Result<()> {
        refused.clear();
        for (index, request) in batch.iter().enumerate() {
            let result = match self.fault() {
                Some(Fault::Silence) => return Err(io::ErrorKind::TimedOut.into()),
                Some(Fault::Refuse(errno)) => Err(Errno(errno)),
                None => self.world.borrow_mut().change_object(self.target.protocol, request),
            };
            refused.extend(result.err().map(|errno| (index, errno)));
        }
        Ok(())
    }

    fn objects(&mut self) -> io::Result<Option<Vec<KernelObject>>> {
        let world = self.world.borrow();
        Ok(world.has_objects.then(|| world.objects.values().cloned().collect()))
    }

    fn lookup(&mut self, address: IpAddr, _: Option<u32>) -> io::Result<Option<Lookup>> {
        Ok(self.world.borrow().lookups.get(&address).cloned())
    }

    async fn dump(&mut self) -> io::Result<Vec<KernelRoute>> {
        let mut world = self.world.borrow_mut();
        world.dumps += 1;
        let overlooked = world.overlooked.take();
        Ok(world.routes().into_iter().filter(|route| Some(route.prefix) != overlooked).collect())
    }

    async fn links(&mut self) -> io::Result<Vec<Link>> {
        Ok(self.world.borrow().links.clone())
    }
}
