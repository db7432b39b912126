package metrics

import "time"

// Sources are what the gateway's other rooms know, read when metrics are asked
// for. Each may be nil.
type Sources struct {
	Upstreams func() []UpstreamStats
	Services  func() []ServiceStats
	Breakers  func() []BreakerStats
	Queues    func() []QueueStats
	Names     func() []NameStats
	Listeners func() []ListenerStats
	Throttles func() []ThrottleStats
	Keys      func() []KeySetStats
	Logs      func() []LogStats
	Bodies    func() BodyStats
	Codings   func() []CodingStats
	Encoders  func() EncoderStats
	Tunnels   func() TunnelStats

	Certificates func() []CertificateStats
	Mirrors      func() []MirrorStats
	Store        func() []StoreStats
	State        func() []StateStats // none where there is no state
	Secrets      func() []SecretStats
	WebACLs      func() []WebACLStats
	WebACLFaults func() []WebACLFault
}

// CertificateStats is one name that a certificate is served for.
type CertificateStats struct {
	Name     string
	Source   string    // file or acme
	Expires  time.Time // zero for none yet
	Failures uint64    // attempts to obtain or renew it that failed
}

// UpstreamStats is one target of one service.
type UpstreamStats struct {
	Service         string
	Target          string
	Healthy         bool
	Ejected         bool
	Ejections       uint64
	Share           float64 // of what its weight says
	InFlight        int64
	Requests        uint64 // attempts sent
	ConnectFailures uint64
	ConnectionsOpen int64 // of the pool, idle ones included
	ConnectionsIdle int64
}

// ListenerStats is one listener.
type ListenerStats struct {
	Listener        string
	Open            int64
	Accepted        uint64
	Refused         uint64 // over a limit of connections
	HandshakeErrors uint64
	Malformed       uint64 // requests that the engine refused
}

// ThrottleStats is one table of buckets. What throttles refuse is counted with
// all other refusals.
type ThrottleStats struct {
	Scope    string // what its keys are
	Keys     int64
	Capacity int64
	Overflow uint64 // decisions that had to share the overflow bucket
}

// KeySetStats is one JWKS.
type KeySetStats struct {
	Source      string // URL or file
	Keys        int64
	Failures    uint64
	LastSuccess time.Time
}

// LogStats is one access log.
type LogStats struct {
	Log         string
	Lines       uint64 // taken
	Dropped     uint64 // lost: not taken since the buffer was full, or never written
	WriteErrors uint64
}

// BodyStats is the memory of buffered bodies.
type BodyStats struct {
	Used  int64
	Limit int64
}

// CodingStats is one content coding that the gateway gives answers.
type CodingStats struct {
	Coding  string
	Answers uint64
	Plain   uint64 // bytes of bodies before
	Coded   uint64 // and after
}

// EncoderStats is the memory of the encoders at work.
type EncoderStats struct {
	Used    int64
	Limit   int64
	Refused uint64 // answers that stayed plain for want of it
}

// TunnelStats is all tunnels together.
type TunnelStats struct {
	Open    int64
	Opened  uint64
	In, Out uint64 // bytes from clients and to them
	Ends    []TunnelEnd
}

// TunnelEnd is how many tunnels ended for one reason.
type TunnelEnd struct {
	Why    string // one of few
	Number uint64
}
