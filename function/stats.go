package function

// Stats is what a function's processes do now.
type Stats struct {
	Processes int `json:"processes"` // those that start among them
	Starting  int `json:"starting"`
	Idle      int `json:"idle"`    // invokes that could begin at once
	Running   int `json:"running"` // invokes
	Waiting   int `json:"waiting"` // invokes
}

// Stats returns what the function's processes do now.
func (f *Function) Stats() Stats { return f.runner.stats() }

func (p *pool) stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Processes: len(p.instances), Starting: p.starting, Idle: len(p.idle), Running: p.running, Waiting: len(p.waiting)}
}

func (p *pool) of() *version { return p.version }
