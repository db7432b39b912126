// Command services is what stands behind the gateway in the example: the
// orders of a shop's customers, the shop's public pages, and the provider at which
// people log in.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	orders := flag.String("orders", "127.0.0.1:9101", "address of the orders service")
	web := flag.String("web", "127.0.0.1:9102", "address of the web service")
	people := flag.String("login", "127.0.0.1:9103", "address of the OpenID provider")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	login, err := newLogin("http://" + *people)
	if err == nil {
		err = serve(ctx, map[string]http.Handler{*orders: newOrders().handler(), *web: webHandler(), *people: login.handler()})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "services:", err)
		os.Exit(1)
	}
}

// serve runs a server at each address until ctx ends or one of them fails.
func serve(ctx context.Context, handlers map[string]http.Handler) error {
	failed := make(chan error, len(handlers))
	var servers []*http.Server
	for address, handler := range handlers {
		s := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
		servers = append(servers, s)
		go func() { failed <- s.ListenAndServe() }()
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, s := range servers {
		err = errors.Join(err, s.Shutdown(grace))
	}
	return err
}

// healthy answers the gateway's probes.
func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
}
