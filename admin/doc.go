// Package admin is how a running gateway is watched and controlled, apart from
// the listeners that clients connect to.
//
// Changes go through the control socket, a Unix socket below the data folder
// that only the gateway's own user and root may use. The admin listener serves
// health, metrics and queries over TCP; by default on the loopback address.
package admin
