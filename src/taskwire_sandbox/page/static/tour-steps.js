// The steps of the tour: what is done, what happens behind it, and when its effect shows. `seconds` is for reading.

const term = (words) => ({ term: words });

export const STEPS = [
  {
    title: "Alice asks for something",
    words: [
      "Slack delivers the command, perhaps twice. ",
      term("Claim"),
      ": Taskwire writes it down once, as a job in Redis, and only then tells Slack that it has it.",
    ],
    act: async (hand) => {
      await hand.begin();
      await hand.command(`/task create ${hand.prompt}`);
    },
    until: (hand) => hand.card(),
    spot: (hand) => hand.cardNode(),
    seconds: 7,
  },
  {
    title: "A card, and its thread",
    words: [
      term("Queue and lease"),
      ": the job waits in Alice’s queue. The worker that holds the queue’s lease posts the card and creates the task " +
        "in Coder as Alice. If that worker dies, another one goes on.",
    ],
    act: (hand) => hand.openThread(),
    until: (hand) => hand.shows("Working", "Needs you"),
    spot: (hand) => hand.cardNode(),
    seconds: 7,
  },
  {
    title: "Alice follows the agent",
    words: [
      term("Poll"),
      ": one request a second asks Coder about all tasks, however many there are. Only a change becomes a job. " +
        "“!follow” shows what the agent writes, in one message that is edited in place. Nobody is called.",
    ],
    act: (hand) => hand.reply("!follow"),
    until: (hand) => hand.thread.list.textContent.includes("live for everybody"),
    spot: (hand) => hand.newestNode(),
    seconds: 5,
  },
  {
    title: "It needs Alice",
    words: [
      term("Notice"),
      ": the agent has been idle for four seconds, so it really waits. One message calls Alice, once, whatever is " +
        "restarted meanwhile. It begins with the question.",
    ],
    until: (hand) => hand.calls() > 0,
    spot: (hand) => hand.newestNode(),
    seconds: 8,
  },
  {
    title: "One click answers",
    words: [
      "The click is claimed as the command was. ",
      term("Intent record"),
      ": it is written before the words go to the agent. If the outcome is lost, Taskwire looks whether they arrived " +
        "before it tries again. ✅ means that the agent has them.",
    ],
    act: (hand) => hand.choose(),
    until: (hand) => hand.hasReaction("white_check_mark"),
    seconds: 5,
  },
  {
    title: "The end is told at once",
    words: [
      term("Reducer"),
      ": one pure function turns what Coder says into the card’s phase and the notices. State and notices are written " +
        "in one step, so no notice is lost or said twice.",
    ],
    until: (hand) => hand.calls() > 1 && hand.shows("Done"),
    spot: (hand) => hand.newestNode(),
    seconds: 8,
  },
  {
    title: "Bob has an idea",
    words: [
      "Only Alice directs this agent, so Bob’s reply is no input. Bob alone is told, with a button that asks Alice. ",
      term("Rights"),
      ": each reply and each click is checked again when it is carried out.",
    ],
    act: async (hand) => {
      await hand.becomes("bob");
      await hand.reply("please describe it in the docs too");
      await hand.press(/^Ask Alice/);
    },
    until: (hand) => hand.thread.list.textContent.includes("was asked to pass it on"),
    spot: (hand) => hand.newestNode(),
    seconds: 6,
  },
  {
    title: "Alice shares the task with Bob",
    words: [
      "Alice alone sees the question. ",
      term("Share"),
      ": one click gives Bob’s words to the agent, with his name, and lets him direct it from now on. “!share @bob” does " +
        "the same. The ✅ on his reply shows him that the agent has it.",
    ],
    act: async (hand) => {
      await hand.becomes("alice");
      await hand.press(/^Always let Bob/);
    },
    until: (hand) => hand.hasReaction("white_check_mark", { onLast: true }),
    spot: (hand) => hand.newestNode(),
    seconds: 6,
  },
  {
    title: "Stop means stop",
    words: [
      "Alice asks for more, and thinks again while the agent works. ",
      term("Lanes"),
      ": the word “stop” goes ahead of everything that waits in the task’s queue, and pauses the workspace.",
    ],
    act: async (hand) => {
      await hand.reply("please check every report that reads the names");
      await hand.wait(() => hand.shows("Checking report"));
      await hand.reply("stop");
    },
    until: (hand) => hand.shows("Paused"),
    spot: (hand) => hand.cardNode(),
    seconds: 5,
  },
  {
    title: "Coder goes away",
    words: [
      "Nothing is lost while Coder does not answer. The reply is kept and waits with ⏳, and the card says since when " +
        "it shows what was last known.",
    ],
    act: async (hand) => {
      await hand.takeCoderAway();
      await hand.reply("use the new columns in the report");
    },
    until: (hand) => hand.hasReaction("hourglass_flowing_sand", { onLast: true }),
    spot: (hand) => hand.newestNode(),
    seconds: 7,
  },
  {
    title: "Coder comes back",
    words: [
      "The reply resumes the paused task by itself, and reaches the agent once. ",
      term("Guarantee"),
      ": a crash at any point of all this would have changed nothing but the time it takes.",
    ],
    act: (hand) => hand.bringCoderBack(),
    until: (hand) => hand.hasReaction("white_check_mark", { onLast: true }),
    spot: (hand) => hand.newestNode(),
    seconds: 7,
  },
  {
    title: "Alice’s own account",
    words: [
      "One account of Coder acts for everybody who has connected none. Here Alice can connect her own: she pastes a " +
        "token from Coder’s page into a dialog. ",
      term("Secrets"),
      ": the token is encrypted before it is stored, replaced by one with fewer rights, and shown nowhere.",
    ],
    act: (hand) => hand.command("/task connect"),
    // The second label is for an Alice who has connected her account before.
    until: (hand) => hand.offers("Paste the token") || hand.offers("Paste another token"),
    spot: (hand) => hand.newestInChannel(),
    seconds: 6,
  },
  {
    title: "What needs me?",
    words: [
      term("Home"),
      ": what needs Alice comes first, then what runs, then what has finished. It follows every change. This was the " +
        "real bot; only Slack and Coder were stand-ins. Now try your own words, or an idea from 💡.",
    ],
    act: (hand) => hand.openHome(),
    until: (hand) => hand.homeShows(),
    seconds: 1,
  },
];
