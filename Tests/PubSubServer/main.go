// A Google Cloud Pub/Sub for tests: Google's own fake (cloud.google.com/go/pubsub/pstest) behind what the service itself refuses,
// and the servers that hand out tokens. It takes commands on its standard input, a line of JSON each, answers each with a line on its
// standard output, and ends when its input ends.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	server, err := newServer()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	output := bufio.NewWriterSize(os.Stdout, 1<<20)
	answer := func(value interface{}) {
		text, err := json.Marshal(value)
		if err != nil {
			text, _ = json.Marshal(map[string]string{"error": err.Error()})
		}
		output.Write(text)
		output.WriteByte('\n')
		output.Flush()
	}
	answer(server.addresses())
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		var command command
		if err := json.Unmarshal(line, &command); err != nil {
			answer(map[string]string{"error": err.Error()})
			continue
		}
		result, err := server.obey(command)
		if err != nil {
			answer(map[string]string{"error": err.Error()})
			continue
		}
		answer(map[string]interface{}{"result": result})
	}
}
