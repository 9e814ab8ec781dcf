mod harness;
mod limits;
mod model;
mod reading;
mod reconfiguration;
mod reflection;
mod restart;
mod undecided;
