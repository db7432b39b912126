package test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"gatehouse/auth/devkey"
)

// talks is a gRPC service without generated code: its messages are
// wrapperspb.BytesValue, its methods those of talksDesc.
type talks struct {
	cancelled atomic.Int64
	timeouts  sync.Map // by call: the grpc-timeout that came
}

type message1 = wrapperspb.BytesValue

func bytesOf(s string) *message1 { return wrapperspb.Bytes([]byte(s)) }

// unary answers with the message. Its text may ask for something else.
func (s *talks) unary(ctx context.Context, in *message1) (*message1, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	text := string(in.GetValue())
	switch {
	case text == "metadata":
		_ = grpc.SetHeader(ctx, metadata.Pairs("x-head", strings.Join(md["x-asked"], ","), "x-head-bin", string([]byte{0, 1, 255})))
		_ = grpc.SetTrailer(ctx, metadata.Pairs("x-tail", "last", "x-tail-bin", string([]byte{2, 254})))
		return bytesOf(strings.Join(md["x-asked-bin"], ",") + "|" + strings.Join(md[":authority"], ",")), nil
	case text == "details":
		st, _ := status.New(codes.FailedPrecondition, "not ready: 100 % é").WithDetails(durationpb.New(time.Minute))
		return nil, st.Err()
	case text == "wait":
		d, _ := ctx.Deadline()
		s.timeouts.Store("left", time.Until(d))
		<-ctx.Done()
		s.cancelled.Add(1)
		return nil, ctx.Err()
	case strings.HasPrefix(text, "large "):
		n, _ := strconv.Atoi(text[6:])
		return wrapperspb.Bytes(make([]byte, n)), nil
	}
	return in, nil
}

// down sends as many messages as it is asked for.
func (s *talks) down(in *message1, out grpc.ServerStream) error {
	var n, gap int
	_, _ = fmt.Sscan(string(in.GetValue()), &n, &gap)
	for i := range n {
		if err := out.SendMsg(bytesOf(strconv.Itoa(i))); err != nil {
			return err
		}
		select {
		case <-time.After(time.Duration(gap) * time.Millisecond):
		case <-out.Context().Done():
			s.cancelled.Add(1)
			return out.Context().Err()
		}
	}
	return nil
}

// up counts messages and their bytes.
func (s *talks) up(in grpc.ServerStream) error {
	n, size := 0, 0
	for {
		m := new(message1)
		err := in.RecvMsg(m)
		if err == io.EOF {
			return in.SendMsg(bytesOf(fmt.Sprint(n, " ", size)))
		}
		if err != nil {
			return err
		}
		n, size = n+1, size+len(m.GetValue())
	}
}

// both answers each message with it, and "end" with an end though the client
// would go on.
func (s *talks) both(st grpc.ServerStream) error {
	for {
		m := new(message1)
		err := st.RecvMsg(m)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			s.cancelled.Add(1)
			return err
		}
		if string(m.GetValue()) == "end" {
			return status.Error(codes.ResourceExhausted, "enough")
		}
		if err := st.SendMsg(m); err != nil {
			return err
		}
	}
}

func (s *talks) desc() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: "test.Talks", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Unary", Handler: func(_ any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			m := new(message1)
			if err := dec(m); err != nil {
				return nil, err
			}
			return s.unary(ctx, m)
		}}},
		Streams: []grpc.StreamDesc{
			{StreamName: "Down", ServerStreams: true, Handler: func(_ any, st grpc.ServerStream) error {
				m := new(message1)
				if err := st.RecvMsg(m); err != nil {
					return err
				}
				return s.down(m, st)
			}},
			{StreamName: "Up", ClientStreams: true, Handler: func(_ any, st grpc.ServerStream) error { return s.up(st) }},
			{StreamName: "Both", ClientStreams: true, ServerStreams: true, Handler: func(_ any, st grpc.ServerStream) error { return s.both(st) }},
		},
	}
}

// startTalks starts the service on a port of its own.
func startTalks(t *testing.T, also ...func(*grpc.Server)) (*talks, *grpc.Server, string) {
	t.Helper()
	l, err := (&net.ListenConfig{Control: reusePort}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &talks{}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64<<20), grpc.MaxSendMsgSize(64<<20))
	server.RegisterService(s.desc(), nil)
	for _, register := range also {
		register(server)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return s, server, l.Addr().String()
}

// grpcClient is a real client of a gateway.
func grpcClient(t *testing.T, r *running, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient("passthrough:///"+r.secure(), append(options,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: r.roots, ServerName: "localhost"})),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func brief(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

const talkingGRPC = `
apis:
  talks:
    domains: [localhost]
    authorize: none
    routes: [{match: "POST /test.Talks/{method}", target: "service:talks", %s}]
services: {talks: {targets: ["%s"], protocol: h2c%s}}
`

func TestGRPCUnary(t *testing.T) {
	_, _, address := startTalks(t)
	r := start(t, fmt.Sprintf(talkingGRPC, "limits: {body: 32MiB}", address, ""), nil)
	c := grpcClient(t, r)
	for _, size := range []int{0, 5, 100000, 20 << 20} {
		out := new(message1)
		in := wrapperspb.Bytes(make([]byte, size))
		if err := c.Invoke(brief(t), "/test.Talks/Unary", in, out); err != nil || len(out.GetValue()) != size {
			t.Fatalf("%d bytes: %d came back, %v", size, len(out.GetValue()), err)
		}
	}
	ctx := metadata.AppendToOutgoingContext(brief(t), "x-asked", "a", "x-asked", "b", "x-asked-bin", "\x00\xff")
	var head, tail metadata.MD
	out := new(message1)
	if err := c.Invoke(ctx, "/test.Talks/Unary", bytesOf("metadata"), out, grpc.Header(&head), grpc.Trailer(&tail)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%q %q %q %q %q", out.GetValue(), head["x-head"], head["x-head-bin"], tail["x-tail"], tail["x-tail-bin"]); got != fmt.Sprintf("%q %q %q %q %q", "\x00\xff|"+address, []string{"a,b"}, []string{"\x00\x01\xff"}, []string{"last"}, []string{"\x02\xfe"}) {
		t.Errorf("metadata: %s", got)
	}
	err := c.Invoke(brief(t), "/test.Talks/Unary", bytesOf("details"), out)
	st := status.Convert(err)
	if st.Code() != codes.FailedPrecondition || st.Message() != "not ready: 100 % é" || len(st.Details()) != 1 || st.Details()[0].(*durationpb.Duration).GetSeconds() != 60 {
		t.Errorf("details: %v %v", st, st.Details())
	}
	if err := c.Invoke(brief(t), "/test.Talks/Nothing", bytesOf(""), out); status.Code(err) != codes.Unimplemented {
		t.Errorf("an unknown method: %v", err)
	}
}

func TestGRPCStreams(t *testing.T) {
	s, _, address := startTalks(t)
	r := start(t, fmt.Sprintf(talkingGRPC, "timeout: 2s, limits: {body: 1MiB}", address, ""), nil)
	c := grpcClient(t, r)
	st, err := c.NewStream(brief(t), &s.desc().Streams[0], "/test.Talks/Down")
	if err != nil || st.SendMsg(bytesOf("30 100")) != nil || st.CloseSend() != nil {
		t.Fatal(err)
	}
	// Three seconds: longer than the route's timeout.
	for i := range 30 {
		m := new(message1)
		if err := st.RecvMsg(m); err != nil || string(m.GetValue()) != strconv.Itoa(i) {
			t.Fatalf("message %d: %q, %v", i, m.GetValue(), err)
		}
	}
	if err := st.RecvMsg(new(message1)); err != io.EOF {
		t.Errorf("the end: %v", err)
	}
	// More than the limit of a body, in messages that are each below it.
	st, err = c.NewStream(brief(t), &s.desc().Streams[1], "/test.Talks/Up")
	if err != nil {
		t.Fatal(err)
	}
	part := wrapperspb.Bytes(make([]byte, 500000))
	for range 20 {
		if err := st.SendMsg(part); err != nil {
			t.Fatal(err)
		}
	}
	m := new(message1)
	if _ = st.CloseSend(); st.RecvMsg(m) != nil || string(m.GetValue()) != "20 10000000" {
		t.Errorf("client streaming: %q", m.GetValue())
	}
	st, err = c.NewStream(brief(t), &s.desc().Streams[2], "/test.Talks/Both")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		m := new(message1)
		if err := st.SendMsg(bytesOf(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
		if err := st.RecvMsg(m); err != nil || string(m.GetValue()) != strconv.Itoa(i) {
			t.Fatalf("message %d: %q, %v", i, m.GetValue(), err)
		}
	}
	// The service ends the call while the client could go on.
	if err := st.SendMsg(bytesOf("end")); err != nil {
		t.Fatal(err)
	}
	if err := st.RecvMsg(m); status.Code(err) != codes.ResourceExhausted || status.Convert(err).Message() != "enough" {
		t.Errorf("the service's end: %v", err)
	}
	if err := c.Invoke(brief(t), "/test.Talks/Unary", bytesOf("after"), m); err != nil || string(m.GetValue()) != "after" {
		t.Errorf("the connection did not live on: %v", err)
	}
}

// A client's stream may be silent for longer than a body may stall.
func TestGRPCSilence(t *testing.T) {
	s, _, address := startTalks(t)
	r := start(t, `
listen: [{address: "127.0.0.1:0", tls: {certificates: internal}, limits: {body-timeout: 200ms}}]
`+fmt.Sprintf(talkingGRPC, "timeout: 1h", address, ", timeouts: {idle: 200ms, stream: 2s}"), nil)
	c := grpcClient(t, r)
	st, err := c.NewStream(brief(t), &s.desc().Streams[2], "/test.Talks/Both")
	if err != nil {
		t.Fatal(err)
	}
	m := new(message1)
	for range 3 {
		if err := st.SendMsg(bytesOf("x")); err != nil {
			t.Fatal(err)
		}
		if err := st.RecvMsg(m); err != nil {
			t.Fatal(err)
		}
		time.Sleep(700 * time.Millisecond)
	}
	// Not without an end.
	began := time.Now()
	if err := st.RecvMsg(m); status.Code(err) != codes.DeadlineExceeded || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func TestGRPCDeadlinesAndCancel(t *testing.T) {
	s, _, address := startTalks(t)
	r := start(t, fmt.Sprintf(talkingGRPC, "timeout: 10s", address, ""), nil)
	c := grpcClient(t, r)
	out := new(message1)
	if err := c.Invoke(brief(t), "/test.Talks/Unary", bytesOf("connected"), out); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := c.Invoke(ctx, "/test.Talks/Unary", bytesOf("wait"), out); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a deadline: %v", err)
	}
	if left, _ := s.timeouts.Load("left"); left == nil || left.(time.Duration) > time.Second || left.(time.Duration) < 50*time.Millisecond {
		t.Errorf("the service was told %v", left)
	}
	await(t, "the service to hear of the deadline", func() bool { return s.cancelled.Load() == 1 })
	ctx, cancel = context.WithCancel(t.Context())
	st, err := c.NewStream(ctx, &s.desc().Streams[2], "/test.Talks/Both")
	if err != nil || st.SendMsg(bytesOf("x")) != nil || st.RecvMsg(out) != nil {
		t.Fatal(err)
	}
	cancel()
	await(t, "the service to hear of the cancellation", func() bool { return s.cancelled.Load() == 2 })
	// A client that enforces nothing itself: the gateway does.
	resp := postGRPC(t, r, "/test.Talks/Unary", "application/grpc", frame1("wait"), "Grpc-Timeout", "100m")
	if resp.header.Get("Grpc-Status") != "4" && resp.trailer.Get("Grpc-Status") != "4" {
		t.Errorf("%v %v", resp.header, resp.trailer)
	}
}

// await waits for something to become true.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// frame1 is a gRPC message of one field of bytes.
func frame1(text string) string {
	m := "\x0a" + string(rune(len(text))) + text
	return string([]byte{0, 0, 0, 0, byte(len(m))}) + m
}

type grpcAnswer struct {
	status  int
	header  http.Header
	body    string
	trailer http.Header
	err     error
}

// postGRPC makes a call by hand.
func postGRPC(t *testing.T, r *running, path, kind, body string, header ...string) grpcAnswer {
	t.Helper()
	transport := &http.Transport{ForceAttemptHTTP2: true, DisableCompression: true, TLSClientConfig: &tls.Config{RootCAs: r.roots, ServerName: "localhost"}}
	defer transport.CloseIdleConnections()
	req, _ := http.NewRequest("POST", "https://"+r.secure()+path, strings.NewReader(body))
	req.Host = "localhost"
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Te", "trailers")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Do(req)
	if err != nil {
		return grpcAnswer{err: err}
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return grpcAnswer{resp.StatusCode, resp.Header, string(got), resp.Trailer, err}
}

// What the gateway refuses, a gRPC client understands.
func TestGRPCRefusals(t *testing.T) {
	_, server, address := startTalks(t)
	r := start(t, `
apis:
  talks:
    domains: [localhost]
    authorizers: {dev: {jwt: {issuer: "https://login.test", audience: test, jwks: development}}}
    authorize: none
    limits: {body: 1KiB}
    routes:
      - {match: "POST /test.Talks/{method}", target: "service:talks"}
      - {match: "POST /closed/{method}", target: "service:talks", authorize: dev, rewrite: "/test.Talks/{method}"}
      - {match: "POST /throttled/{method}", target: "service:talks", throttle: {rate: 1/h, burst: 1}, rewrite: "/test.Talks/{method}"}
      - {match: "POST /gone/{method}", target: "service:gone"}
services:
  talks: {targets: ["`+address+`"], protocol: h2c}
  gone: {targets: ["127.0.0.1:`+freePort(t)+`"], protocol: h2c}
`, nil)
	c := grpcClient(t, r)
	out := new(message1)
	_ = c.Invoke(brief(t), "/throttled/Unary", bytesOf("x"), out)
	for method, want := range map[string]codes.Code{
		"/closed/Unary": codes.Unauthenticated, "/throttled/Unary": codes.ResourceExhausted, "/nowhere/Unary": codes.Unimplemented, "/gone/Unary": codes.Unavailable,
	} {
		if err := c.Invoke(brief(t), method, bytesOf("x"), out); status.Code(err) != want {
			t.Errorf("%s: %v, want %v", method, err, want)
		}
	}
	if err := c.Invoke(brief(t), "/test.Talks/Unary", bytesOf(strings.Repeat("x", 2000)), out); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message over the limit: %v", err)
	}
	key, err := devkey.Open(filepath.Join(r.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	token, _ := key.Sign(devkey.Claims{Issuer: "https://login.test", Audience: []string{"test"}, Subject: "alice", Lifetime: time.Hour})
	ctx := metadata.AppendToOutgoingContext(brief(t), "authorization", "Bearer "+token)
	if err := c.Invoke(ctx, "/closed/Unary", bytesOf("hello"), out); err != nil || string(out.GetValue()) != "hello" {
		t.Errorf("with a token: %v", err)
	}
	// A service that goes away in the middle of a stream.
	st, err := c.NewStream(brief(t), &(&talks{}).desc().Streams[0], "/test.Talks/Down")
	if err != nil || st.SendMsg(bytesOf("1000 50")) != nil || st.RecvMsg(out) != nil {
		t.Fatal(err)
	}
	server.Stop()
	for err == nil {
		err = st.RecvMsg(out)
	}
	if code := status.Code(err); code != codes.Unavailable && code != codes.Internal && code != codes.Canceled {
		t.Errorf("the service has gone: %v", err)
	}
}

// A service that restarts gracefully loses no call: what it has not seen goes to
// another connection.
func TestGRPCGoAway(t *testing.T) {
	_, first, address := startTalks(t)
	r := start(t, fmt.Sprintf(talkingGRPC, "retries: 1", address, ""), nil)
	c := grpcClient(t, r)
	out := new(message1)
	if err := c.Invoke(brief(t), "/test.Talks/Unary", bytesOf("x"), out); err != nil {
		t.Fatal(err)
	}
	var failed atomic.Int64
	var done sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		done.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := c.Invoke(brief(t), "/test.Talks/Unary", bytesOf("x"), new(message1)); err != nil {
					failed.Add(1)
					t.Logf("%v", err)
				}
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	// The next one is there before the first is told to stop.
	l, err := (&net.ListenConfig{Control: reusePort}).Listen(t.Context(), "tcp", address)
	if err != nil {
		close(stop)
		done.Wait()
		t.Skipf("no second listener: %v", err)
	}
	second := grpc.NewServer()
	second.RegisterService((&talks{}).desc(), nil)
	go func() { _ = second.Serve(l) }()
	defer second.Stop()
	first.GracefulStop()
	time.Sleep(200 * time.Millisecond)
	close(stop)
	done.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d calls failed", n)
	}
}

// A service by HTTP/2 is probed by HTTP/2: by a path, or by gRPC's own protocol.
func TestGRPCHealth(t *testing.T) {
	state := health.NewServer()
	_, _, address := startTalks(t, func(s *grpc.Server) { healthpb.RegisterHealthServer(s, state) })
	page := overHTTP2(t, httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			w.WriteHeader(404)
		}
	})))
	r := start(t, `
apis:
  talks:
    authorize: none
    routes:
      - {match: "POST /test.Talks/{method}", target: "service:talks"}
      - {match: GET /fine, target: "service:fine", rewrite: /healthz}
      - {match: GET /ill, target: "service:ill", rewrite: /healthz}
services:
  talks: {targets: ["`+address+`"], protocol: h2c, health: {grpc: test.Talks, interval: 100ms, healthy: 1, unhealthy: 1, all-unhealthy: closed}}
  fine: {targets: ["`+page.Listener.Addr().String()+`"], protocol: h2c, health: {path: /healthz, interval: 100ms, unhealthy: 1, all-unhealthy: closed}}
  ill: {targets: ["`+page.Listener.Addr().String()+`"], protocol: h2c, health: {path: /other, interval: 100ms, unhealthy: 1, all-unhealthy: closed}}
`, nil)
	c := grpcClient(t, r)
	call := func() codes.Code {
		return status.Code(c.Invoke(brief(t), "/test.Talks/Unary", bytesOf("x"), new(message1)))
	}
	await(t, "a service that is not known to be unhealthy", func() bool { return call() == codes.Unavailable })
	state.SetServingStatus("test.Talks", healthpb.HealthCheckResponse_SERVING)
	await(t, "a service that serves to be healthy", func() bool { return call() == codes.OK })
	state.SetServingStatus("test.Talks", healthpb.HealthCheckResponse_NOT_SERVING)
	await(t, "a service that does not to be unhealthy", func() bool { return call() == codes.Unavailable })
	get := func(path string) int {
		return sendHTTP1(t, r, message{method: "GET", target: path, host: "localhost"}).status
	}
	await(t, "a service whose path is not there to be unhealthy", func() bool { return get("/ill") == 503 })
	if got := get("/fine"); got != 200 {
		t.Errorf("a healthy one: %d", got)
	}
}
