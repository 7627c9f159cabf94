//! `docs/reference/function.md`: what the serverless function takes, and from where.

use crate::lambda::delivery::ANSWER_TIME_MS;
use crate::lambda::input::INPUTS;
use crate::lambda::queue::RETRY_WAITS_S;
use crate::lambda::settings::VARIABLES;
use std::fmt::Write as _;

/// The page.
pub fn page() -> String {
    let mut page = super::head("The serverless function");
    page.push_str(
        "\nThe `quell` binary is the bootstrap of an AWS Lambda function (`provided.al2023`, \
         x86_64; handler: any).\n`cargo xtask dist` makes the package.\n",
    );
    page.push_str("\n## Inputs\n\n| input | known by | answer |\n|---|---|---|\n");
    for [input, known_by, answer] in INPUTS {
        let _ = writeln!(page, "| {input} | {known_by} | {answer} |");
    }
    page.push_str("\nAny other input is refused with an error that names its keys.\n");
    page.push_str("\n## Environment\n\n| variable | meaning |\n|---|---|\n");
    for [name, meaning] in VARIABLES {
        let _ = writeln!(page, "| `{name}` | {meaning} |");
    }
    let _ = write!(page, "\n{}", queue());
    page
}

fn queue() -> String {
    let [first, second, third] = RETRY_WAITS_S;
    format!(
        "\
## What the event source mapping needs

- `FunctionResponseTypes: [ReportBatchItemFailures]`. Without it, a batch with one failed message
  is deleted whole.
- `maxReceiveCount` of the queue's redrive policy is `limits.delivery_attempts_max`. A message that
  fails is received that often; its reason is logged each time and recorded in the ledger at the
  last. Then the queue moves it to its dead-letter queue.
- The function's time-out is well above `limits.apply_time_min_ms`: with less time left, no change
  is begun, and the message comes again. {ANSWER_TIME_MS} ms before the time-out the function
  answers with what is done; what is not comes again.
- The queue's visibility time-out is at least six times the function's time-out. What failed for
  the time being, such as a resource that another run works on, waits for {first}, {second} and
  {third} s instead, if the function's role has `sqs:ChangeMessageVisibility` and
  `sqs:GetQueueUrl` on the queue.
- `store.dynamodb.lease_time_s` is no shorter than the function's time-out; else the function
  refuses to work.

A change that a time-out cuts off is concluded by the next delivery about the same resource: it is
read, and found made or made again.
"
    )
}
