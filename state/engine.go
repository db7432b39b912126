package state

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// engine is a connection to NATS, and the server behind it where that is ours.
type engine struct {
	conn   *nats.Conn
	server *server.Server  // nil for one elsewhere
	sound  context.Context // ends with the first error that the server inside tells
}

const (
	storeFolder  = "state"
	maxStore     = 64 << 30 // bytes of files; the disk ends before
	maxRecord    = 8 << 20
	readyTimeout = 30 * time.Second // a store that was not closed is read through first
)

// embed starts a server inside this process, without any socket.
func embed(data string, log *slog.Logger) (*engine, error) {
	dir := filepath.Join(data, storeFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "gatehouse", DontListen: true, NoSigs: true, NoLog: true, NoSystemAccount: true,
		JetStream: true, StoreDir: dir, SyncAlways: true, DisableJetStreamBanner: true,
		JetStreamMaxMemory: 16 << 20, JetStreamMaxStore: maxStore, MaxPayload: maxRecord, MaxPending: 8 * maxRecord,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	sound, broken := context.WithCancel(context.Background())
	s.SetLoggerV2(engineLog{log, broken}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(readyTimeout) || !s.JetStreamEnabled() {
		s.Shutdown()
		return nil, fmt.Errorf("the state in %s cannot be opened (the log says why): mend it, or move the folder away and import an export", dir)
	}
	conn, err := nats.Connect("", nats.InProcessServer(s), nats.Name("gatehouse"), nats.NoReconnect())
	if err != nil {
		s.Shutdown()
		return nil, err
	}
	return &engine{conn, s, sound}, nil
}

// connect reaches for servers elsewhere, now and whenever they are away; again
// is called each time that they are back.
func connect(o *Options, again func()) (*engine, error) {
	c, log := o.Config, o.Log
	opts := []nats.Option{
		nats.Name("gatehouse"), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(time.Second), nats.Timeout(dialTimeout), nats.ReconnectBufSize(-1),
		nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2),
		nats.ConnectHandler(func(*nats.Conn) { again() }),
		nats.ReconnectHandler(func(*nats.Conn) { again() }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("the state's servers are away; requests go on by what is known of it", slog.Any("error", err))
			}
		}),
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != nil {
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(c.CA.Content) {
			return nil, fmt.Errorf("%s: no certificates in %s", c.CA.At, c.CA.Path)
		}
		opts = append(opts, nats.Secure(tlsConfig))
	}
	if c.Credentials != nil {
		opts = append(opts, nats.UserCredentialBytes(c.Credentials.Content))
	}
	if c.User != "" {
		opts = append(opts, nats.UserInfo(c.User, c.Password.Reveal()))
	}
	if o.Dial != nil {
		opts = append(opts, nats.SetCustomDialer(dialer{o.Dial}))
	}
	conn, err := nats.Connect(strings.Join(c.NATS, ","), opts...)
	if err != nil && !errors.Is(err, nats.ErrNoServers) {
		return nil, fmt.Errorf("%s: %w", c.Of("nats"), err)
	}
	return &engine{conn: conn, sound: context.Background()}, nil
}

// dialer connects as the gateway does elsewhere.
type dialer struct {
	dial func(ctx context.Context, address string) (net.Conn, error)
}

// dialTimeout is how long a connection to a server may take.
const dialTimeout = 3 * time.Second

// Dial implements nats.CustomDialer.
func (d dialer) Dial(_, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	return d.dial(ctx, address)
}

// alive reports whether a write can be tried. A server inside that could not write
// once, since the disk is full, will not do so again.
func (e *engine) alive() bool {
	return e != nil && e.sound.Err() == nil && e.conn != nil && e.conn.IsConnected() && (e.server == nil || e.server.JetStreamEnabled())
}

func (e *engine) close() {
	if e.conn != nil {
		e.conn.Close()
	}
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
}

// engineLog hands on what the server inside warns of. An error of its is the end
// of it: it is opened anew.
type engineLog struct {
	log    *slog.Logger
	broken context.CancelFunc
}

func (l engineLog) Noticef(string, ...any) {}
func (l engineLog) Debugf(string, ...any)  {}
func (l engineLog) Tracef(string, ...any)  {}

func (l engineLog) Warnf(format string, v ...any) { l.log.Warn("state: " + fmt.Sprintf(format, v...)) }

func (l engineLog) Errorf(format string, v ...any) {
	l.log.Error("state: " + fmt.Sprintf(format, v...))
	l.broken()
}

func (l engineLog) Fatalf(format string, v ...any) { l.Errorf(format, v...) }
