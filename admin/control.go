package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// SocketName is the control socket's name within the data folder.
const SocketName = "control.sock"

// ErrRunning is the error of OpenControl where a gateway runs on the data
// folder already.
var ErrRunning = errors.New("a gateway is already running on this data folder: stop it, or give this one another (data:)")

// ControlSocket is the control socket of one data folder, and the lock by which
// one gateway alone runs on it.
type ControlSocket struct {
	path   string
	log    *slog.Logger
	lock   *os.File
	bound  string      // where the socket waits to be placed
	info   os.FileInfo // of the socket once it is placed, to remove none but ours
	socket net.Listener
	server *http.Server  // nil until Serve
	done   chan struct{} // closed when the server has ended
}

// OpenControl opens the control socket below the data folder, which is created
// (0700) where it is missing. Only this process's user and root may use it; who
// connects waits until Serve. The socket that a dead process left is replaced;
// where its process lives, the error is ErrRunning.
func OpenControl(data string, log *slog.Logger) (*ControlSocket, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("the control socket: %w", err)
	}
	lock, err := lockFile(filepath.Join(data, "control.lock"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", data, err)
	}
	sweep(data)
	c, err := AdoptControl(data, lock, log)
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	if err := c.Place(); err != nil {
		_ = c.Close(context.Background())
		return nil, err
	}
	return c, nil
}

// AdoptControl is OpenControl with the lock of a gateway that is taken over,
// whose own control socket stays in place until Place. The lock is the
// ControlSocket's where there is no error.
func AdoptControl(data string, lock *os.File, log *slog.Logger) (*ControlSocket, error) {
	if info, err := os.Stat(data); err == nil && info.Mode().Perm()&0o022 != 0 {
		log.Warn("others can write to the data folder, and so take the control socket's place: chmod go-w", slog.String("data", data))
	}
	c := &ControlSocket{path: filepath.Join(data, SocketName), log: log, lock: lock, done: make(chan struct{})}
	if err := c.listen(data); err != nil {
		return nil, fmt.Errorf("the control socket %s: %w", c.path, err)
	}
	return c, nil
}

// Lock is the lock, for the process that takes over.
func (c *ControlSocket) Lock() *os.File { return c.lock }

// Yield leaves the data folder to the process that has taken over: the lock is
// its alone, and so is the socket's place. Who has connected here is still
// answered, until Close.
func (c *ControlSocket) Yield() {
	c.info = nil
	_ = c.lock.Close()
}

// Serve begins to answer for g, and to do the acts. It is called once, and not
// after Close.
func (c *ControlSocket) Serve(g Gateway, pages Pages, acts Acts) {
	h := &handlers{gateway: g, pages: pages}
	mux := h.all()
	acts.register(mux)
	c.server = newServer(mux, c.log)
	c.server.WriteTimeout = 10 * time.Minute // a reload may take long
	c.server.ReadTimeout = 10 * time.Minute  // as may sending an export
	c.server.ConnContext = withActor
	go c.serve()
}

// lockFile takes the lock that a gateway holds as long as it lives.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrRunning
	}
	return nil, err
}

// private begins the name of a folder in which a socket waits to be placed.
const private = ".control-"

// sweep removes the folders that processes left which were killed.
func sweep(data string) {
	left, _ := filepath.Glob(filepath.Join(data, private+"*"))
	for _, dir := range left {
		_ = os.RemoveAll(dir)
	}
}

// listen binds the socket in a folder that nobody else can enter, so that it
// is never there with other permissions than its own.
func (c *ControlSocket) listen(data string) error {
	folder, err := os.MkdirTemp(data, private)
	if err != nil {
		return err
	}
	c.bound = filepath.Join(folder, "s")
	err = atShortPath(c.bound, func(short string) (err error) {
		c.socket, err = net.Listen("unix", short)
		return err
	})
	if err != nil {
		c.unbind()
		return err
	}
	c.socket.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Chmod(c.bound, 0o600); err != nil {
		_ = c.socket.Close()
		c.unbind()
		return err
	}
	return nil
}

// unbind removes the folder in which the socket waited.
func (c *ControlSocket) unbind() {
	if c.bound != "" {
		_ = os.RemoveAll(filepath.Dir(c.bound))
	}
	c.bound = ""
}

// Place moves the socket into its place, over that of a dead process or of the
// gateway that was taken over: there is one at every moment.
func (c *ControlSocket) Place() error {
	defer c.unbind()
	if err := c.place(); err != nil {
		return fmt.Errorf("the control socket %s: %w", c.path, err)
	}
	return nil
}

func (c *ControlSocket) place() error {
	if old, err := os.Lstat(c.path); err == nil && old.Mode()&os.ModeSocket == 0 {
		return errors.New("there is something else in its place")
	}
	info, err := os.Lstat(c.bound)
	if err != nil {
		return err
	}
	if err := os.Rename(c.bound, c.path); err != nil {
		return err
	}
	c.info = info
	return nil
}

// Path returns where the socket is.
func (c *ControlSocket) Path() string { return c.path }

func (c *ControlSocket) serve() {
	defer close(c.done)
	_ = c.server.Serve(sameUser{c.socket, c.log})
}

// Close stops serving, waiting for answers under way until ctx ends, and
// removes the socket.
func (c *ControlSocket) Close(ctx context.Context) error {
	if now, err := os.Lstat(c.path); err == nil && c.info != nil && os.SameFile(now, c.info) {
		_ = os.Remove(c.path)
	}
	c.unbind()
	err := c.end(ctx)
	_ = c.lock.Close()
	return err
}

func (c *ControlSocket) end(ctx context.Context) error {
	if c.server == nil {
		return c.socket.Close()
	}
	err := c.server.Shutdown(ctx)
	if err != nil {
		_ = c.server.Close()
	}
	<-c.done
	return err
}

// sameUser accepts connections of this process's user and of root.
type sameUser struct {
	net.Listener
	log *slog.Logger
}

// Accept implements net.Listener.
func (l sameUser) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peerUID(conn.(*net.UnixConn))
		if err == nil && (uid == 0 || uid == os.Geteuid()) {
			return userConn{conn, uid}, nil
		}
		l.log.Warn("a stranger was refused at the control socket", slog.Int("uid", uid), slog.Any("error", err))
		_ = conn.Close()
	}
}
