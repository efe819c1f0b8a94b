// SPDX-License-Identifier: GPL-3.0-or-later

// A client of a management interface in hold, made of Debian's Go package for that, as it comes. Does what a supervisor of
// OpenVPN does with it, tells every step and event in one line each, and ends with status 1 at the first error.
//
//	client /path/to/socket | ADDRESS:PORT
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/apparentlymart/go-openvpn-mgmt/openvpn"
)

func must(step string, err error) {
	if err != nil {
		fmt.Printf("%s: failed: %v\n", step, err)
		os.Exit(1)
	}
	fmt.Printf("%s: ok\n", step)
}

// Shows events until one is what the caller waits for.
func await(what string, events <-chan openvpn.Event, wanted func(openvpn.Event) bool) {
	limit := time.After(10 * time.Second)
	for {
		select {
		case event, open := <-events:
			if !open {
				fmt.Printf("%s: connection closed\n", what)
				os.Exit(1)
			}
			if _, malformed := event.(*openvpn.MalformedEvent); malformed {
				fmt.Printf("%s: malformed: %s\n", what, event)
				os.Exit(1)
			}
			fmt.Printf("event %T %s\n", event, event)
			if wanted(event) {
				return
			}
		case <-limit:
			fmt.Printf("%s: did not come\n", what)
			os.Exit(1)
		}
	}
}

func main() {
	events := make(chan openvpn.Event, 1000)
	client, err := openvpn.Dial(os.Args[1], events)
	must("dial", err)
	await("hold", events, func(event openvpn.Event) bool {
		_, hold := event.(*openvpn.HoldEvent)
		return hold
	})
	pid, err := client.Pid()
	must(fmt.Sprintf("pid %d", pid), err)
	state, err := client.LatestState()
	must("latest state", err)
	fmt.Printf("state %s %q %q\n", state.NewState(), state.LocalTunnelAddr(), state.RemoteAddr())
	must("state events", client.SetStateEvents(true))
	must("echo events", client.SetEchoEvents(true))
	must("byte counts", client.SetByteCountEvents(time.Second))
	must("hold release", client.HoldRelease())
	await("state", events, func(event openvpn.Event) bool {
		_, state := event.(*openvpn.StateEvent)
		return state
	})
	await("byte count", events, func(event openvpn.Event) bool {
		_, count := event.(*openvpn.ByteCountEvent)
		return count
	})
	must("byte counts off", client.SetByteCountEvents(0))
	if client.SendSignal("SIGNONE") == nil {
		fmt.Println("a signal that does not exist: taken")
		os.Exit(1)
	}
	must("signal", client.SendSignal("SIGTERM"))
	await("exiting", events, func(event openvpn.Event) bool {
		state, is_state := event.(*openvpn.StateEvent)
		return is_state && state.NewState() == "EXITING"
	})
}
