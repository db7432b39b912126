// Command shop runs the example: its services, and the gateway before them.
// They end together: when the program is interrupted, or when one of them ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// The addresses of gatehouse.yaml.
const (
	https  = "127.0.0.1:8443"
	plain  = "127.0.0.1:8080"
	admin  = "127.0.0.1:9901"
	orders = "127.0.0.1:9101"
	web    = "127.0.0.1:9102"
	login  = "127.0.0.1:9103"
)

// example is where everything lies.
type example struct {
	gatehouse, services, config string
}

func main() {
	var e example
	flag.StringVar(&e.gatehouse, "gatehouse", "bin/gatehouse", "the gateway")
	flag.StringVar(&e.services, "services", "bin/shop-services", "the services")
	flag.StringVar(&e.config, "config", "examples/shop/gatehouse.yaml", "the gateway's configuration")
	flag.Parse()

	// The kernel ends the children if this thread ends without having done so.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := e.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

func (e example) run(ctx context.Context) error {
	if err := e.check(); err != nil {
		return err
	}
	services, err := start(e.services, "-orders", orders, "-web", web, "-login", login)
	if err != nil {
		return err
	}
	defer services.stop()
	if err := services.answers(ctx, "http://"+orders+"/healthz", "http://"+web+"/healthz", "http://"+login+"/healthz"); err != nil {
		return quietly(ctx, err)
	}
	gateway, err := start(e.gatehouse, "run", "-c", e.config)
	if err != nil {
		return err
	}
	defer gateway.stop()
	if err := gateway.answers(ctx, "http://"+admin+"/readyz"); err != nil {
		return quietly(ctx, err)
	}
	authority, err := e.saveAuthority(ctx)
	if err != nil {
		return quietly(ctx, err)
	}
	fmt.Print(e.welcome(authority))
	select {
	case <-ctx.Done():
		fmt.Println("\nshop: stopping")
		return nil
	case <-services.ended:
		return fmt.Errorf("the services have ended: %v", services.cmd.ProcessState)
	case <-gateway.ended:
		return fmt.Errorf("the gateway has ended: %v", gateway.cmd.ProcessState)
	}
}

// check finds what would keep the example from starting.
func (e example) check() error {
	var problems []error
	for _, file := range []string{e.gatehouse, e.services, e.config} {
		if _, err := os.Stat(file); err != nil {
			problems = append(problems, fmt.Errorf("%s is not here: use \"make run\" in the project's folder", file))
		}
	}
	for _, address := range []string{https, plain, admin, orders, web, login} {
		l, err := net.Listen("tcp", address)
		if err == nil {
			l.Close()
			continue
		}
		_, port, _ := net.SplitHostPort(address)
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%s is taken: another program listens there (ss -ltnp 'sport = :%s' names it)", address, port)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// saveAuthority writes the gateway's root certificate to a file for curl.
func (e example) saveAuthority(ctx context.Context) (string, error) {
	certificate, err := exec.CommandContext(ctx, e.gatehouse, "ca", "-c", e.config).Output()
	if err != nil {
		return "", fmt.Errorf("%s ca: %w", e.gatehouse, err)
	}
	name := filepath.Join(filepath.Dir(e.config), "data", "authority.pem")
	return name, os.WriteFile(name, certificate, 0o644)
}

// quietly makes no error of being interrupted.
func quietly(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// child is a program that runs.
type child struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{}
}

// start runs a program in a process group of its own, so that an interrupt at
// the terminal reaches it through us alone, in order and once.
func start(argv ...string) (*child, error) {
	c := &child{name: filepath.Base(argv[0]), cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = os.Stdout, os.Stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// stop asks the program to end and waits until it has; after a while it makes
// it.
func (c *child) stop() {
	c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
		return
	case <-time.After(35 * time.Second):
		fmt.Fprintf(os.Stderr, "shop: %s did not end in time\n", c.name)
	}
	c.cmd.Process.Kill()
	<-c.ended
}

// answers waits until every URL answers 200.
func (c *child) answers(ctx context.Context, urls ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for _, url := range urls {
		for !answersOK(ctx, url) {
			select {
			case <-c.ended:
				return fmt.Errorf("%s ended at once: %v", c.name, c.cmd.ProcessState)
			case <-ctx.Done():
				return fmt.Errorf("%s does not answer at %s", c.name, url)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return nil
}

func answersOK(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
