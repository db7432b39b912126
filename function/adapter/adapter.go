// Package adapter makes a web server a function, as AWS's Lambda Web Adapter does:
// the same binary, started once more beside the server within the sandbox, takes
// events from the Runtime API, asks the server by HTTP, and streams its answers back.
//
// It runs while packages are still initialised, as function/sandbox/stage does, and
// for the same reason: what a gateway is made of need not be made.
package adapter

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Name is the first argument by which a process knows that it is an adapter. The
// second is the server's command line.
const Name = "gatehouse: web function"

//lint:ignore U1000 an adapter ends the process here, and never returns
var _ = enter()

func enter() bool {
	if len(os.Args) != 3 || os.Args[1] != Name {
		return false
	}
	if err := run(os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "adapter:", err)
	}
	os.Exit(1)
	return true
}

const (
	requestID = "Lambda-Runtime-Aws-Request-Id"
	errorType = "Lambda-Runtime-Function-Error-Type"
	prelude   = "application/vnd.awslambda.http-integration-response"
)

// adapter is what a process knows of its two neighbours.
type adapter struct {
	runtime string // URL of the Runtime API
	server  string // URL of the server
	client  *http.Transport
}

// run starts the server and serves it until one of the two ends.
func run(command string) error {
	port := os.Getenv("PORT")
	server, err := start(command)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	a := &adapter{
		runtime: "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/", server: "http://127.0.0.1:" + port,
		client: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true},
	}
	if err := waitFor("127.0.0.1:"+port, ended); err != nil {
		return err
	}
	loops, _ := strconv.Atoi(os.Getenv("AWS_LAMBDA_MAX_CONCURRENCY"))
	for range max(loops, 1) {
		go func() { ended <- a.loop() }()
	}
	return <-ended
}

// start starts the server: a file of the code, or a program of PATH.
func start(command string) (*exec.Cmd, error) {
	words := strings.Fields(command)
	if len(words) == 0 {
		return nil, errors.New("no command for the server")
	}
	if own := filepath.Join(os.Getenv("LAMBDA_TASK_ROOT"), words[0]); isFile(own) {
		words[0] = own
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = os.Stdout, os.Stderr, os.Getenv("LAMBDA_TASK_ROOT")
	return cmd, cmd.Start()
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// waitFor returns once somebody listens at an address, or the server has ended. How
// long that may take is the gateway's to say.
func waitFor(address string, ended chan error) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c.Close()
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the server ended before it listened at %s: %w", address, errors.Join(err))
		case <-time.After(pause):
		}
	}
}

// event is what the adapter reads of payload format 2.0.
type event struct {
	Path    string            `json:"rawPath"`
	Query   string            `json:"rawQueryString"`
	Cookies []string          `json:"cookies"`
	Headers map[string]string `json:"headers"`
	Context struct {
		HTTP struct {
			Method string `json:"method"`
		} `json:"http"`
	} `json:"requestContext"`
	Body   string `json:"body"`
	Base64 bool   `json:"isBase64Encoded"`
}

func (a *adapter) loop() error {
	for {
		if err := a.once(); err != nil {
			return err
		}
	}
}

// once serves one invocation.
func (a *adapter) once() error {
	r, err := http.NewRequest(http.MethodGet, a.runtime+"invocation/next", nil)
	if err != nil {
		return err
	}
	next, err := a.client.RoundTrip(r)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(next.Body)
	next.Body.Close()
	if err != nil || next.StatusCode != http.StatusOK {
		return fmt.Errorf("next: %s, %w", next.Status, err)
	}
	id := next.Header.Get(requestID)
	answer, err := a.ask(raw)
	if err != nil {
		return a.fail(id, err)
	}
	defer answer.Body.Close()
	return a.pass(id, answer)
}

// ask asks the server.
func (a *adapter) ask(raw []byte) (*http.Response, error) {
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, err
	}
	if e.Context.HTTP.Method == "" || e.Path == "" {
		return nil, errors.New("the event is no request in payload format 2.0")
	}
	body := []byte(e.Body)
	if e.Base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, err
		}
	}
	url := a.server + e.Path
	if e.Query != "" {
		url += "?" + e.Query
	}
	r, err := http.NewRequest(e.Context.HTTP.Method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range e.Headers {
		r.Header.Set(name, value)
	}
	if len(e.Cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	r.Host = r.Header.Get("Host")
	for _, name := range []string{"Host", "Content-Length", "Transfer-Encoding", "Connection"} {
		r.Header.Del(name)
	}
	return a.client.RoundTrip(r)
}

// pass streams an answer back: its head, eight NULs, its body.
func (a *adapter) pass(id string, answer *http.Response) error {
	head := struct {
		Status  int                 `json:"statusCode"`
		Headers map[string][]string `json:"multiValueHeaders"`
		Cookies []string            `json:"cookies,omitempty"`
	}{answer.StatusCode, answer.Header, answer.Header["Set-Cookie"]}
	delete(answer.Header, "Set-Cookie")
	text, err := json.Marshal(head)
	if err != nil {
		return a.fail(id, err)
	}
	body := &whole{Reader: answer.Body, trailer: http.Header{errorType: nil}}
	r, err := http.NewRequest(http.MethodPost, a.runtime+"invocation/"+id+"/response", io.MultiReader(bytes.NewReader(append(text, make([]byte, 8)...)), body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", prelude)
	r.Header.Set("Lambda-Runtime-Function-Response-Mode", "streaming")
	r.Trailer = body.trailer
	return a.post(r)
}

// whole is a body that says in a trailer where it breaks off.
type whole struct {
	io.Reader
	trailer http.Header
}

func (w *whole) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil && err != io.EOF {
		w.trailer.Set(errorType, "Server.Cut")
		return n, io.EOF
	}
	return n, err
}

// fail reports that there is no answer.
func (a *adapter) fail(id string, cause error) error {
	text, _ := json.Marshal(map[string]string{"errorType": "Server.Unreachable", "errorMessage": cause.Error()})
	r, err := http.NewRequest(http.MethodPost, a.runtime+"invocation/"+id+"/error", bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set(errorType, "Server.Unreachable")
	return a.post(r)
}

func (a *adapter) post(r *http.Request) error {
	answer, err := a.client.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}
