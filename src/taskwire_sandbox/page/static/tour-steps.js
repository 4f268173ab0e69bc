// The steps of the tour: what is done, what happens behind it, and when its effect shows.

const term = (words) => ({ term: words });

export const STEPS = [
  {
    title: "Alice asks for something",
    words: [
      term("Claim"),
      ": Taskwire writes it down once, in its store (Redis), and only then tells Slack that it has it.",
    ],
    act: async (hand) => {
      await hand.begin();
      await hand.command(`/task create ${hand.prompt}`);
    },
    until: (hand) => hand.card(),
    spot: (hand) => hand.cardNode(),
  },
  {
    title: "A card, and its thread",
    words: [
      "The card shows how the task is. A reply in its thread goes to the agent. ",
      term("Lease"),
      ": one worker at a time carries out Alice’s jobs.",
    ],
    act: (hand) => hand.openThread(),
    until: (hand) => hand.shows("Working", "Needs you"),
    spot: (hand) => hand.cardNode(),
  },
  {
    title: "Alice follows the agent",
    words: [
      "“!follow” shows what the agent writes, in one message that is edited in place. Nobody is called. ",
      term("Poll"),
      ": one request a second asks Coder about all tasks.",
    ],
    act: (hand) => hand.reply("!follow"),
    // The other words are for a visitor who comes to this step after the agent has stopped working.
    until: (hand) => /live for everybody|nothing to follow|Followed /.test(hand.thread.list.textContent),
    spot: (hand) => hand.newestNode(),
  },
  {
    title: "It needs Alice",
    words: [
      term("Notice"),
      ": the agent has been idle for four seconds, so it really waits. One message calls Alice, once. It begins with " +
        "the question.",
    ],
    until: (hand) => hand.calls() > 0,
    spot: (hand) => hand.newestNode(),
  },
  {
    title: "One click answers",
    words: [
      "A click or a reply answers. ✅ means that the agent has it. ",
      term("Intent record"),
      ": if the outcome is lost, Taskwire looks whether the words arrived before it tries again.",
    ],
    act: (hand) => hand.choose(),
    until: (hand) => hand.hasReaction("white_check_mark"),
  },
  {
    title: "The end is told at once",
    words: [
      "A message calls Alice, with the pull request. A reply asks for more. ",
      term("Reducer"),
      ": state and notices are written in one step, so no notice is lost or said twice.",
    ],
    until: (hand) => hand.calls() > 1 && hand.shows("Done"),
    spot: (hand) => hand.newestNode(),
  },
  {
    title: "Bob has an idea",
    words: [
      "Bob can’t steer Alice’s task. Only he is told so, with a button that asks her. ",
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
  },
  {
    title: "Alice shares the task with Bob",
    words: [
      "Alice alone sees the question. ",
      term("Share"),
      ": one click gives Bob’s words to the agent, and lets him steer the task from now on, as “!share @bob” does. ✅ shows " +
        "him that the agent has them.",
    ],
    act: async (hand) => {
      await hand.becomes("alice");
      await hand.press(/^Always let Bob/);
    },
    until: (hand) => hand.hasReaction("white_check_mark", { onLast: true }),
    spot: (hand) => hand.newestNode(),
  },
  {
    title: "Stop means stop",
    words: [
      "Alice asks for more, and thinks again. ",
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
  },
  {
    title: "Coder goes away",
    words: [
      "Nothing is lost while Coder does not answer. The reply waits with ⏳, and the card says how old its news is.",
    ],
    act: async (hand) => {
      await hand.takeCoderAway();
      await hand.reply("use the new columns in the report");
    },
    until: (hand) => hand.hasReaction("hourglass_flowing_sand", { onLast: true }),
    spot: (hand) => hand.newestNode(),
  },
  {
    title: "Coder comes back",
    words: [
      "The reply resumes the paused task by itself, and reaches the agent once. ",
      term("Guarantee"),
      ": a crash at any point would have changed nothing but the time it takes.",
    ],
    act: (hand) => hand.bringCoderBack(),
    until: (hand) => hand.hasReaction("white_check_mark", { onLast: true }),
    spot: (hand) => hand.newestNode(),
  },
  {
    title: "Alice’s own account",
    words: [
      "One account of Coder acts for everybody who has connected none. Alice can connect her own, with a token from " +
        "Coder’s page. ",
      term("Secrets"),
      ": the token is stored encrypted, and shown nowhere.",
    ],
    act: (hand) => hand.command("/task connect"),
    // The second label is for an Alice who has connected her account before.
    until: (hand) => hand.offers("Paste the token") || hand.offers("Paste another token"),
    spot: (hand) => hand.newestInChannel(),
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
  },
];
