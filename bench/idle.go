package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// idleCount is how many connections the idle case holds.
	idleCount = 10_000
	// idleFiles is how many files a process of that case may have open.
	idleFiles = idleCount + 2000
	// openers is how many of the connections are opened at a time.
	openers = 32
	// idleRest is how long they wait before memory is read.
	idleRest = 4 * time.Second
)

// runIdle measures what memory each proxy takes for connections that wait.
func (b *bench) runIdle(ctx context.Context, c scenario) caseResult {
	result := caseResult{Case: c.name, Title: c.title, Most: c.most}
	entries := make([]entry, len(b.peers))
	for i, p := range b.peers {
		entries[i].Proxy = p.name
	}
	if err := allowFiles(idleFiles); err != nil {
		for i := range entries {
			entries[i].note(err)
		}
		result.Columns = entries
		return result
	}
	for round := range b.options.rounds {
		for i, p := range b.peers {
			if ctx.Err() != nil {
				break
			}
			s, err := b.idleOnce(ctx, p, c, &entries[i])
			if err != nil {
				entries[i].note(err)
				continue
			}
			s.Round = round
			entries[i].Samples = append(entries[i].Samples, s)
			fmt.Fprintf(os.Stderr, "bench:   round %d: %-12s %6.1f KiB a connection\n", round+1, p.name, heldKiB(s))
		}
	}
	result.Columns = entries
	return result
}

// allowFiles lets this process, and those it starts, have so many files open.
func allowFiles(n uint64) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur, limit.Max = max(limit.Cur, n), max(limit.Max, n)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("%d open files are not allowed (%w): run as root, or after ulimit -Hn %d", n, err, n)
	}
	return nil
}

// idleOnce starts a proxy, opens the connections, and sees what they have
// added to its memory once it has been left alone.
func (b *bench) idleOnce(ctx context.Context, p peer, c scenario, e *entry) (sample, error) {
	r, err := b.start(ctx, p, c, e)
	if err != nil {
		return sample{}, err
	}
	defer b.discard(r.site)
	defer r.process.stop()
	sleep(ctx, time.Second)
	before, err := shareOfTree(r.process.cmd.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	conns, err := openIdle(ctx, r.load, c.idle)
	defer closeAll(conns)
	if err != nil {
		return sample{}, err
	}
	sleep(ctx, idleRest)
	after, err := shareOfTree(r.process.cmd.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	if err := allOpen(conns); err != nil {
		return sample{}, err
	}
	u, err := r.used()
	return sample{Requests: uint64(len(conns)), RSS: u.rss, Held: after - before}, err
}

// openIdle opens connections and sends one request on each.
func openIdle(ctx context.Context, l load, n int) ([]net.Conn, error) {
	l.connections = n
	l.prepare()
	var wg sync.WaitGroup
	var lock sync.Mutex
	var conns []net.Conn
	var failure error
	for first := range openers {
		wg.Go(func() {
			w, a, scratch := worker{load: l}, answer{want: l.body}, make([]byte, scratchSize)
			for i := first; i < n && ctx.Err() == nil; i += openers {
				conn, err := w.openOne(i, &a, scratch)
				lock.Lock()
				if conn != nil {
					conns = append(conns, conn)
				}
				if err != nil {
					failure = fmt.Errorf("connection %d: %w", i, err)
				}
				stop := failure != nil
				lock.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	if failure == nil {
		failure = ctx.Err()
	}
	return conns, failure
}

func (w *worker) openOne(i int, a *answer, scratch []byte) (net.Conn, error) {
	conn, err := w.dial(i)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(silence))
	if _, err := conn.Write(w.load.request(i)); err != nil {
		return conn, err
	}
	return conn, a.read(conn, scratch)
}

// allOpen fails where the proxy has closed a connection: what it does not hold
// costs it nothing.
func allOpen(conns []net.Conn) error {
	closed := 0
	for _, conn := range conns {
		if !isOpen(conn) {
			closed++
		}
	}
	if closed > 0 {
		return fmt.Errorf("%d of %d idle connections were closed", closed, len(conns))
	}
	return nil
}

// isOpen looks whether a connection's end waits in the socket, and takes
// nothing from it.
func isOpen(conn net.Conn) bool {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return false
	}
	var state []unix.PollFd
	err = raw.Control(func(fd uintptr) {
		state = []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		_, err = unix.Poll(state, 0)
	})
	return err == nil && state[0].Revents == 0
}

func closeAll(conns []net.Conn) {
	for _, conn := range conns {
		if secure, ok := conn.(*tls.Conn); ok {
			conn = secure.NetConn() // without a farewell: the proxy goes next
		}
		conn.Close()
	}
}
