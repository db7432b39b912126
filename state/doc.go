// Package state keeps what must survive restarts and what several gateways
// share: API keys, use of quotas, revocations, access keys, secrets.
//
// It is one bucket of keys and values in NATS JetStream: in a server inside this
// process, whose files lie below the data folder and which listens on no
// network, or in one elsewhere. What was acknowledged is on the disk. Everything
// is mirrored in memory: reading costs no I/O and goes on while the engine is
// away; each change, also one of another gateway, is told to whoever keeps the
// table that it is in.
package state
