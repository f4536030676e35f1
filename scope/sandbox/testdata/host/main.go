// Command host is a program with nothing in it but the sandbox, for
// BenchmarkStart: what starts a sandboxed command is the program itself, so a
// test binary is not what users run. Its argument is how many megabytes of
// memory it has in use. It reads a request for each line of its standard input
// and answers with a line.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/clearance-go/clearance/scope/sandbox"
)

// request asks for starts of /bin/true.
type request struct {
	Level   sandbox.Level
	Profile sandbox.Profile
	N       int
}

// answer says how long each start took.
type answer struct {
	Took []time.Duration
	Err  string
}

// ballast is memory in use.
var ballast []byte

func main() {
	helper := sandbox.Enter()
	megabytes, err := strconv.Atoi(os.Args[1])
	if err != nil {
		os.Exit(2)
	}
	ballast = make([]byte, megabytes<<20)
	for i := 0; i < len(ballast); i += 512 {
		ballast[i] = 1
	}
	boxes := map[sandbox.Level]*sandbox.Box{}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var r request
		var a answer
		if err = json.Unmarshal(line, &r); err == nil {
			a.Took, err = start(helper, boxes, r)
		}
		if err != nil {
			a.Err = err.Error()
		}
		if json.NewEncoder(os.Stdout).Encode(a) != nil {
			return
		}
	}
}

func start(helper sandbox.Helper, boxes map[sandbox.Level]*sandbox.Box, r request) (took []time.Duration, err error) {
	if r.Level != sandbox.None && boxes[r.Level] == nil {
		if boxes[r.Level], err = sandbox.New(helper, sandbox.Options{Level: r.Level}); err != nil {
			return nil, err
		}
	}
	for range r.N {
		begin := time.Now()
		if r.Level == sandbox.None {
			err = exec.Command("/bin/true").Run()
		} else {
			var cmd *sandbox.Cmd
			if cmd, err = boxes[r.Level].Command(context.Background(), r.Profile, "/bin/true"); err == nil {
				err = cmd.Run()
			}
		}
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	return took, nil
}
