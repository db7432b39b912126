package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"syscall"
)

// Client calls a running gateway over its control socket.
type Client struct {
	data    string
	connect func(ctx context.Context) (net.Conn, error)
	http    *http.Client
}

// Dial returns a Client of the gateway that runs on a data folder. Whether one
// does shows at the first call.
func Dial(data string) *Client {
	path := filepath.Join(data, SocketName)
	connect := func(ctx context.Context) (conn net.Conn, err error) {
		err = atShortPath(path, func(short string) error {
			var d net.Dialer
			conn, err = d.DialContext(ctx, "unix", short)
			return err
		})
		return conn, err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx) }
	return &Client{data: data, connect: connect, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// NotRunning is the error of every call where no gateway runs.
type NotRunning struct{ Data string }

func (e *NotRunning) Error() string {
	return fmt.Sprintf("no gateway is running on %s: start it with `gatehouse run`, or say with -c which configuration it runs", e.Data)
}

// Status reads the gateway's description into out.
func (c *Client) Status(ctx context.Context, out any) error {
	return c.call(ctx, http.MethodGet, "/v1/status", out)
}

// Ready returns why the gateway does not serve; nil where it does.
func (c *Client) Ready(ctx context.Context) error {
	return c.call(ctx, http.MethodGet, "/readyz", nil)
}

// Routes reads the table of routes into out.
func (c *Client) Routes(ctx context.Context, out any) error {
	return c.call(ctx, http.MethodGet, "/v1/routes", out)
}

// Certificates reads the certificates that listeners serve into out.
func (c *Client) Certificates(ctx context.Context, out any) error {
	return c.call(ctx, http.MethodGet, "/v1/certificates", out)
}

// Explain reads what is remembered of a request into out.
func (c *Client) Explain(ctx context.Context, id string, out any) error {
	return c.call(ctx, http.MethodGet, "/v1/requests/"+url.PathEscape(id), out)
}

// Recent reads the last n requests that are remembered into out.
func (c *Client) Recent(ctx context.Context, n int, out any) error {
	return c.call(ctx, http.MethodGet, "/v1/requests?n="+strconv.Itoa(n), out)
}

// Plan reads into out what would change if the configuration in a file, named
// by its absolute path, were in force. Its error may be Problems.
func (c *Client) Plan(ctx context.Context, file string, out any) error {
	return c.call(ctx, http.MethodPost, "/v1/plan?file="+url.QueryEscape(file), out)
}

// Reload loads the configuration anew and reads what changed into out. Its
// error may be Problems.
func (c *Client) Reload(ctx context.Context, out any) error {
	return c.call(ctx, http.MethodPost, "/v1/reload", out)
}

// Restart makes the gateway start its program anew, which takes over from it.
func (c *Client) Restart(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/v1/restart", nil)
}

// ReopenLogs opens log files anew, after they were renamed.
func (c *Client) ReopenLogs(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/v1/logs/reopen", nil)
}

// maxAnswer bounds what a call reads: 10,000 routes take a few MiB,
// and an export of a large state more.
const maxAnswer = 768 << 20

func (c *Client) call(ctx context.Context, method, path string, out any) error {
	return c.send(ctx, method, path, nil, out)
}

func (c *Client) send(ctx context.Context, method, path string, document io.Reader, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, "http://gatehouse"+path, document)
	if err != nil {
		return err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return c.explain(ctx, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return c.explain(ctx, err)
	}
	if answer.StatusCode != http.StatusOK {
		return failure(answer.StatusCode, body)
	}
	if out == nil {
		return nil
	}
	if raw, ok := out.(*json.RawMessage); ok {
		*raw = bytes.TrimSpace(body)
		return nil
	}
	return json.Unmarshal(body, out)
}

// explain says what an error of the socket means for who ran a command.
func (c *Client) explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return &NotRunning{c.data}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the gateway on %s is another user's: run this as that user, or as root", c.data)
	case hungUp(err):
		return fmt.Errorf("the gateway on %s hung up: it is stopping, or another user's (run this as that user, or as root) (%w)", c.data, err)
	}
	return fmt.Errorf("the gateway on %s does not answer: %w", c.data, err)
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func failure(status int, body []byte) error {
	e := &Error{Status: status}
	if json.Unmarshal(body, e) != nil || e.Message == "" {
		e.Message = fmt.Sprintf("the gateway answered %d", status)
	}
	return e
}
