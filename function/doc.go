// Package function runs functions as AWS Lambda does: started on demand, isolated
// by a Launcher, asked through the Runtime API, gone when idle. See README.md.
package function
