"""What can be asked: each module holds a group of commands whole.

In goes a Question, out comes an Answer: markdown, maybe with files or buttons. A command reads its arguments, says
whom it shows (`Question.audit`), looks up and formats; it sends nothing, and decides nothing about who may see what:
that is `people.access`. All raise WrongArguments or LMSBotError, and those about a student what `read_student` does.
"""
