"""The sample school: a few people, exams and courses, and what happened there in the last two weeks."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from lms_bot.sandbox.lms.school import School


class Person(NamedTuple):
    username: str
    first_name: str
    last_name: str
    display_name: str | None
    mentors: tuple[str, ...] = ()


SUPERVISOR = Person("helena.lind", "Helena", "Lind", "Helena Lind")
MENTORS = (
    Person("maria.santos", "Maria", "Santos", "María Santos"),
    Person("arjun.nair", "Arjun", "Nair", "Arjun Nair"),
    Person("chen.wei", "Wei", "Chen", "陈伟"),
)
STUDENTS = (
    Person("john_doe", "John", "Doe", "John Doe", ("maria.santos", "arjun.nair")),
    Person("jane_smith", "Jane", "Smith", "Jane Smith", ("maria.santos",)),
    Person("anjali_p", "Anjali", "Pillai", "അഞ്ജലി പിള്ള", ("arjun.nair",)),
    Person("omar_h", "Omar", "Haddad", "عمر حداد", ("maria.santos", "chen.wei")),
    Person("li_na", "Na", "Li", "李娜", ("chen.wei",)),
    Person("olena_k", "Olena", "Koval", "Олена Коваль", ("arjun.nair",)),
    Person("zoe_m", "Zoë", "Müller", "Zoë Müller", ("chen.wei", "maria.santos")),
    Person("tunde_a", "Tunde", "Adeyemi", None, ("chen.wei",)),
)
EXAMS = (  # slug, title, minutes, questions, needed to pass
    ("math-final", "Mathematics Final Exam", 90, 40, 50),
    ("python-basics", "Python Basics Quiz", 30, 20, 60),
    ("physics-midterm", "Physics Midterm: Waves & Optics", 60, 30, 50),
    ("web-checkpoint", "Web Development Checkpoint", 45, 25, 60),
    ("hostile", "<img src=x onerror=alert(1)> @**all** [x](http://evil.example)", 20, 10, 50),  # LMS text is data
)
COURSES = {
    "Mathematics": ("Algebra", "Calculus"),
    "Programming with Python": ("Getting Started", "Functions"),
    "Web Development": ("HTML and CSS", "JavaScript"),
}
CONTENTS = (  # title, type, course, the exam it is
    ("Linear Equations", "Video", "Mathematics", None),
    ("Derivatives, Step by Step", "Video", "Mathematics", None),
    ("Formula Sheet", "Attachment", "Mathematics", None),
    ("Your First Program", "Video", "Programming with Python", None),
    ("Functions and Arguments", "Notes", "Programming with Python", None),
    ("Python Basics Quiz", "Exam", "Programming with Python", "python-basics"),
    ("Flexbox in Practice", "Video", "Web Development", None),
    ("Ask Me Anything", "Live Stream", "Web Development", None),
)
EXAM_HISTORY = (  # days ago, hour of that day back from now, who, exam, minutes taken, result, percentage
    (13, 2, "john_doe", "python-basics", 24, "fail", 45),
    (12, 5, "jane_smith", "python-basics", 19, "pass", 90),
    (11, 3, "li_na", "math-final", 71, "pass", 93),
    (10, 4, "john_doe", "python-basics", 27, "pass", 75),
    (9, 6, "omar_h", "physics-midterm", 58, "fail", 38),
    (8, 1, "olena_k", "math-final", 80, "pass", 67),
    (6, 2, "anjali_p", "web-checkpoint", 41, "pass", 88),
    (5, 7, "zoe_m", "physics-midterm", 55, "pass", 72),
    (4, 3, "tunde_a", "python-basics", 30, None, None),
    (3, 5, "omar_h", "physics-midterm", 52, "pass", 61),
    (2, 2, "jane_smith", "math-final", 85, "fail", 44),
    (1, 4, "john_doe", "web-checkpoint", 38, "pass", 82),
    (0, 3, "li_na", "web-checkpoint", 44, "fail", 52),
)
CONTENT_HISTORY = (  # days ago, hours back, who, content, completed (or else watched)
    (13, 5, "john_doe", "Your First Program", False),
    (12, 7, "jane_smith", "Functions and Arguments", True),
    (11, 6, "li_na", "Linear Equations", False),
    (9, 8, "omar_h", "Formula Sheet", True),
    (7, 3, "olena_k", "Derivatives, Step by Step", False),
    (6, 4, "anjali_p", "Flexbox in Practice", False),
    (4, 5, "tunde_a", "Your First Program", False),
    (2, 6, "zoe_m", "Ask Me Anything", False),
    (1, 6, "john_doe", "Flexbox in Practice", False),
    (0, 4, "jane_smith", "Formula Sheet", True),
)


def fill(school: School) -> School:
    """Put the sample into a school that has only its tables. Its history ends two hours before now."""
    _add_people(school)
    for slug, title, minutes, questions, needed in EXAMS:
        size = {"duration": minutes, "number_of_questions": questions}
        school.add_exam(title, slug=slug, pass_percentage=needed, **size)
    for title, chapters in COURSES.items():
        school.add_course(title, chapters)
    for title, content_type, course, exam in CONTENTS:
        school.add_content(title, content_type, course=course, exam=exam)
    _add_history(school, datetime.now(timezone.utc))
    return school


def _add_people(school: School) -> None:
    school.add_mentor(**_names(SUPERVISOR), hierarchy="SUPERVISOR")
    for mentor in MENTORS:
        school.add_mentor(**_names(mentor), supervisor=SUPERVISOR.username)
    for student in STUDENTS:
        school.add_student(**_names(student), mentors=student.mentors)


def _names(person: Person) -> dict[str, Any]:
    return {name: value for name, value in person._asdict().items() if name != "mentors"}


def _add_history(school: School, now: datetime) -> None:
    for days, hours, student, exam, minutes, result, percentage in EXAM_HISTORY:
        started_at = now - timedelta(days=days, hours=hours)
        ended_at = started_at + timedelta(minutes=minutes)
        attempt_id = school.start_exam(student, exam, started_at)
        school.finish_exam(attempt_id, result, percentage, ended_at)
        if exam == "python-basics":  # taken from inside the course, so the course knows of it too
            row = school.start_content(student, "Python Basics Quiz", started_at, assessment_id=attempt_id)
            school.complete_content(row, ended_at)
    for days, hours, student, content, completed in CONTENT_HISTORY:
        at = now - timedelta(days=days, hours=hours)
        if completed:
            school.complete_content(school.start_content(student, content, at - timedelta(minutes=20)), at)
        else:
            school.watch_content(student, content, at)
