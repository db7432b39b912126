package live

import (
	"fmt"
	"net"
	"strings"

	"gatehouse/importer"
)

// Starter writes a first configuration for a gateway before services, each
// explained by comments.
func Starter(services []Found) importer.Result {
	c := &importer.Config{Listen: importer.NewList(), Top: importer.NewMap()}
	c.Open = "say who may call before others can reach it."
	c.Head = []string{
		"Gatehouse before " + places(services) + ".",
		" gatehouse check                # every mistake at once, with its line",
		" gatehouse run &                # a change of this file is in force a moment later",
		" gatehouse ca > ca.pem          # for clients to trust",
		" curl --cacert ca.pem " + firstURL(services),
	}
	c.Listen.Note("HTTPS for this machine alone, by a certificate of the gateway's own CA. For others:", `address ":443", and certificates: [{cert: FILE, key: FILE}].`)
	c.Listen.Add(importer.NewMap().Put("address", "127.0.0.1:8443").Put("tls", importer.Flow().Put("certificates", "internal")))
	c.Listen.Add(importer.Flow().Put("address", "127.0.0.1:8080").Put("redirect", "https"))
	c.Top.Note("The access log, as JSON: a file, stdout, or off.")
	c.Top.Put("log", importer.Flow().Put("access", "stdout"))
	c.Top.Note("Every client's address may come so often; more is 429.")
	c.Top.Put("throttle", importer.Flow().Put("rate", importer.Raw("100/s")).Put("burst", 200).Put("per", "ip"))
	names := importer.Names{}
	for i, f := range services {
		name := nameOf(names, f, i, len(services))
		c.APIs = append(c.APIs, f.api(name, len(services) > 1))
		c.Services = append(c.Services, f.service(name))
	}
	return c.Result()
}

func places(services []Found) string {
	var all []string
	for _, f := range services {
		all = append(all, f.URL())
	}
	return strings.Join(all, " and ")
}

func firstURL(services []Found) string {
	host := "localhost"
	if len(services) > 1 {
		host = nameOf(importer.Names{}, services[0], 0, len(services)) + ".localhost"
	}
	return "https://" + host + ":8443/"
}

// nameOf names a service by what it calls itself, or its port.
func nameOf(names importer.Names, f Found, i, of int) string {
	if f.Title != "" {
		return names.Of(f.Title, "app")
	}
	_, port, _ := net.SplitHostPort(f.Address)
	if of > 1 {
		return names.Of("app-"+port, "app")
	}
	return names.Of("app", fmt.Sprint("app", i))
}

func (f Found) api(name string, several bool) *importer.API {
	a := &importer.API{Name: name, Keys: importer.NewMap(), Authorizers: importer.NewMap()}
	if several {
		a.Domains = []string{name + ".localhost"}
	} else {
		a.Keys.Note("The hosts that it answers for; without this line every host.", " domains: [api.example.com]")
	}
	a.Keys.Note(
		"Every route says who may call. none is everybody; to ask for a token of an issuer:",
		" authorize: people",
		" authorizers:",
		`   people: {jwt: {issuer: "https://login.example.com", audience: `+name+`, jwks: "https://login.example.com/jwks.json"}}`,
	)
	if f.Definition != "" {
		a.Notes = append(a.Notes,
			"The service describes itself. To publish what it describes, and nothing else:",
			" curl -s "+f.URL()+f.Definition+" > "+name+".openapi.json",
			" gatehouse import openapi "+name+".openapi.json",
		)
	}
	route := &importer.Route{Match: "ANY /{proxy*}", Target: "service:" + name, Notes: []string{
		"METHOD PATH: ANY is every method, {id} one segment, {proxy*} all the rest. A route of its own says more:",
		` - {match: "GET /orders/{id}", target: "service:` + name + `", throttle: 10/s, authorize: none}`,
	}}
	a.Routes = append(a.Routes, route)
	return a
}

func (f Found) service(name string) *importer.Service {
	s := &importer.Service{Name: name, Targets: importer.NewList(), Keys: importer.NewMap()}
	if !f.Answers {
		s.Targets.Note("It did not answer when this was written.")
	}
	s.Targets.Note(`Several targets share the load; "dns:NAME:PORT" is every address of a name.`)
	s.Targets.Add(f.Address)
	switch {
	case f.Health != "":
		s.Keys.Note("A target that fails this is left out until it passes again.")
		s.Keys.Put("health", importer.Flow().Put("path", f.Health))
	default:
		s.Keys.Note("Where it says how it does, a target that fails is left out:", " health: {path: /healthz}")
	}
	if f.TLS {
		if !f.Trusted {
			s.Keys.Note("This machine does not trust its certificate for that host: name the authority, and the name.", " tls: {ca: FILE, server-name: NAME}")
		}
		s.Keys.Put("tls", importer.Raw("{}"))
	}
	return s
}
